"""An OAuth server that we did not write (django-oauth-toolkit), made ready for tests."""
