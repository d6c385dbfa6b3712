"""The words of the login with a provider, and the page that says why it came to nothing."""

LOGIN = "/oidc/login"
"""The address of the pages that leads to the provider."""
UNAVAILABLE = "The labeler does not answer, so it cannot log you in. Try again in a moment."
OR = "or with a name and a password"
ONLY_ADMINS = "Admins may log in with a password"


def log_in_with(provider: str) -> str:
    """Return what the button says."""
    return f"Log in with {provider}"


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Not logged in - Pappus</title>
<style>
:root { color-scheme: light dark; }
body { font: 1rem/1.5 "Source Sans", system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.25rem; }
a { display: inline-block; margin-top: 1rem; padding: .7rem 1.4rem; border-radius: .6rem; background: #3d7a35;
    color: #fff; text-decoration: none; }
a:focus-visible { outline: 3px solid currentColor; outline-offset: 3px; }
p { overflow-wrap: anywhere; }
</style>
</head>
<body>
<main>
<h1>You are not logged in</h1>
<p>SENTENCE</p>
<a href="/">Back to the login</a>
</main>
</body>
</html>
"""
