"""The command's first lines: Ctrl-C ends it quietly while everything else is being loaded."""


def main() -> None:
    """Run the command line."""
    try:
        from integrations_pipeline import cli

        cli.main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
