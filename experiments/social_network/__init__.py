"""The scenarios of SocialNetwork."""
