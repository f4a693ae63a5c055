"""Microsoft Teams: OAuth of the identity platform and whose tenant it is."""
