"""`test.service`, which the published archive leaves out of kafka-python's test package. Only a broker that runs already is used."""


class ExternalService:
    """A broker that somebody else started."""

    def __init__(self, host, port):
        self.host, self.port = host, port

    def open(self):
        """Nothing to open."""

    def close(self):
        """Nothing to close."""


class SpawnedService:
    """Never used: the address of a broker is always given."""

    def __init__(self, *_, **__):
        raise NotImplementedError("a broker is given, none is started")
