"""Where Kafka is and how a client proves who it is: one value for all clients. Knows no client library."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shared.runtime.certificates import trust
from shared.runtime.errors import InvalidSettings

KafkaProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
KafkaMechanism = Literal["SCRAM-SHA-512", "PLAIN"]
DEFAULT_PORT = 9092


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """A Kafka cluster and a login for it. `bootstrap` is "host:port", several separated by commas. `ca_file` holds who
    signs for the brokers; None: whom the system trusts. `mechanism` is SCRAM-SHA-512 for all but the administrator of
    the local stack.

    Raises:
        InvalidSettings: the protocol asks for a login and there is none, or the file cannot be used.
    """

    bootstrap: str
    protocol: KafkaProtocol = "PLAINTEXT"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: Path | None = None
    mechanism: KafkaMechanism = "SCRAM-SHA-512"

    def __post_init__(self) -> None:
        if self.logs_in and not self.username:
            raise InvalidSettings(f"PAPPUS_KAFKA_USERNAME is empty, and {self.protocol} needs a login: set it.")
        if self.logs_in and not self.password:
            raise InvalidSettings(
                f"PAPPUS_KAFKA_PASSWORD is empty, and {self.protocol} needs a login: set it, or mount the secret"
                " pappus_kafka_password."
            )
        if self.encrypted:
            trust(self.ca_file, "PAPPUS_KAFKA_CA_FILE")

    @property
    def encrypted(self) -> bool:
        """Whether the brokers speak TLS and prove their names."""
        return self.protocol.endswith("SSL")

    @property
    def logs_in(self) -> bool:
        """Whether clients log in with a name and a password."""
        return self.protocol.startswith("SASL")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each broker that is named."""
        places = (place.strip().rpartition(":") for place in self.bootstrap.split(","))
        return [
            (host.strip("[]"), int(port)) if host and port.isdigit() else (host + colon + port, DEFAULT_PORT)
            for host, colon, port in places
        ]

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        """What checks the certificates of the brokers; None without TLS."""
        return trust(self.ca_file, "PAPPUS_KAFKA_CA_FILE") if self.encrypted else None

    @property
    def client_settings(self) -> dict[str, Any]:
        """The keyword arguments of aiokafka's clients, the address among them."""
        return {"bootstrap_servers": self.bootstrap, **self.security_settings}

    @property
    def security_settings(self) -> dict[str, Any]:
        """The keyword arguments of aiokafka's clients that are about security."""
        settings: dict[str, Any] = {"security_protocol": self.protocol}
        if self.encrypted:
            settings["ssl_context"] = self.ssl_context
        if self.logs_in:
            settings |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return settings
