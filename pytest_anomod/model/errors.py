"""Every exception of ours; each message names the value, the place and what to do."""


class AnomodError(Exception):
    """Base of all errors raised on purpose by this package."""


class ScenarioError(AnomodError):
    """A declaration that can't work: unknown system, service, fault or parameter; raised at collection if possible."""


class DeploymentError(AnomodError):
    """A system did not come up, got lost, or refused an order."""


class InjectionError(AnomodError):
    """A fault could not be put in or taken out."""


class NotPlayedError(AnomodError):
    """An activity would not act because something before it had failed; a consequence, never a cause."""


class CaptureError(AnomodError):
    """A collector or the workload could not record what it must."""


class DatasetError(AnomodError):
    """Files of a dataset are missing, foreign, inconsistent or can't be written."""


class EvaluationError(AnomodError):
    """A method can't be had, asks for what it was not granted, or gives an answer that can't be scored."""


class BusyMachineError(AnomodError):
    """This machine is too busy for a true measurement; what was to be measured says nothing."""


class SafetyError(AnomodError):
    """Going on could leave something behind: no guardian, a lock in use, a target out of bounds."""
