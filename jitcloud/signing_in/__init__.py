"""Signing in from a person's machine, and presenting who they are to a deployment's API.

With OpenID Connect (``oidc``) or with AWS credentials; ``client_settings`` says which. Nothing
here prints, and no token goes into a file, a log, an error or a repr.
"""
