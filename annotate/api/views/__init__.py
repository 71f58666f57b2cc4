"""Addresses of the API, a module a resource. Each view says which scope its methods take, and which role."""
