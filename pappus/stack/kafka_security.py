"""The settings of the broker in a secured stack: TLS, logins, and rights that the table gives."""

from collections.abc import Mapping
from pathlib import Path

from pappus.stack.certificates import Pair
from pappus.stack.ports import HOST

ADMIN = "admin"
"""Who may change users and rights. The broker itself knows it, so that it can log in before any user is made."""
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"


def secured_properties(ports: Mapping[str, int], pair: Pair, authority: Path, admin_password: str) -> str:
    """Return the lines that follow those of the template and win over them."""
    listeners = f"SASL_SSL://{HOST}:{ports['kafka']},CONTROLLER://{HOST}:{ports['kafka-controller']}"
    admin = f'{_PLAIN} required username="{ADMIN}" password="{admin_password}" user_{ADMIN}="{admin_password}";'
    values = {
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "CONTROLLER:SASL_SSL,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": admin,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": f"{_SCRAM} required;",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": admin,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(pair.keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())
