"""`sqlite-rerank`, and `python -m sqlite_rerank`: the command, or what it lacks."""
import sys

LIBRARIES = ("click", "markdownify", "pathspec", "pypdf", "rich")  # of the extra `command`


def main() -> None:
    """Runs the command where the libraries that it is made of are installed."""
    try:
        from sqlite_rerank.command import command
    except ModuleNotFoundError as error:
        if error.name not in LIBRARIES:
            raise
        sys.exit(f"sqlite-rerank: {error.name} is not installed: the command needs an extra of the "
                 "package, pip install 'sqlite-rerank[command]'")
    command(prog_name="sqlite-rerank")


if __name__ == "__main__":
    main()
