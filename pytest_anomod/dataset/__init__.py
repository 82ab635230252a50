"""The only part that knows Parquet: write, read and check datasets."""
