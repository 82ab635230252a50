"""A replica of two services and two stores, small enough to be brought up in every test that needs a real one."""
