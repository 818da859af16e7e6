from tests.clients.javascript.package import package, project

__all__ = ["package", "project"]
