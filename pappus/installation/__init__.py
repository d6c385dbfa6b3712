"""Any installation of Pappus, seen from outside: its addresses, its logins, and where these come from."""
