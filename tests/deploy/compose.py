"""docker-compose.yml with its variables filled in as Compose does it."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]


def filled(value, environment=None):
    """`value` with `$${…}`, `${NAME:-default}` and `${NAME:+text}` replaced; an unset NAME is empty."""
    environment = environment or {}

    def replace(match):
        name, operator, text = match[1], match[2], match[3] or ""
        found = environment.get(name, "")
        if operator == ":-":
            return found or text
        return (text if found else "") if operator == ":+" else found

    return re.sub(r"\$\{(\w+)(:[-+])?([^}]*)\}", replace, value).replace("$$", "$")


def container_environment(service, environment):
    """The variables inside a service's container, if the shell or .env has `environment`."""
    given = {}
    for name, value in SERVICES[service].get("environment", {}).items():
        if value is not None:
            given[name] = filled(value, environment)
        elif name in environment:
            given[name] = environment[name]
    return given
