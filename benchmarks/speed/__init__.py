"""How fast each stage is against its obvious alternative, on the same inputs and in the same run: `nox -s speed`."""
