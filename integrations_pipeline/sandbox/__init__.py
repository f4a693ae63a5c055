"""SaaS services emulated on loopback: the pipeline can be tried with no account at all."""
