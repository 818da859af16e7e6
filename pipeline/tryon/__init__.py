"""One request's way through the models: what it asks for, its job, and the order of the stages."""
