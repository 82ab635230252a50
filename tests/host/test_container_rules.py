"""How the rules in a container's network are changed: what is put in again is never away."""

from __future__ import annotations

from pytest_anomod.host.container_rules import ContainerRules


class Tables(ContainerRules):
    """Tables whose changes are kept as they are told, one text for each step."""

    def __init__(self):
        super().__init__(1, 0.0, who="a container")
        self.rules, self.steps = [], []

    def _run(self, argv, told=""):
        if argv[0] == "iptables-save":
            return "\n".join(self.rules)
        self.steps.append(told)
        for line in told.splitlines():
            if line.startswith("-I "):
                self.rules.insert(0, line.replace("-I ", "-A ", 1))
            elif line.startswith("-D "):
                self.rules.remove(line.replace("-D ", "-A ", 1))
        return ""


def test_names_that_are_hidden_again_are_never_known_between():
    """Each process that sees the container's start hides them; a name resolved meanwhile is a connection for long."""
    tables = Tables()
    for _ in range(2):
        tables.hide_names("names", ["catalog"], ["svc"])
    assert len(tables.steps) == 2
    assert len(tables.rules) == 4
    assert tables.show_names("names")
    assert not tables.show_names("names")
    assert not tables.rules


def test_a_port_that_is_led_elsewhere_anew_is_never_led_to_itself_between():
    """A relay that is started again has another port."""
    tables = Tables()
    tables.redirect("relay", 80, 1000)
    tables.redirect("relay", 80, 1001)
    assert len(tables.steps) == 2
    assert ["--to-ports 1001" in rule for rule in tables.rules] == [True]
    assert tables.stop_redirect("relay")
    assert not tables.rules
