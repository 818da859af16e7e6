"""The runtimes that compute exported networks in Python processes of Triton."""
