"""A control that asks on standard input, as some wait for a key."""


def before_experiment_control(context=None, **words):
    input("go on? ")
