"""One call and its errors.

Run the daemon beside it: dirtyd serve --app basic:Counter
"""

from dirtyd import AppError, DirtyApp, DirtyClient, errors

APP = "basic:Counter"


class Counter(DirtyApp):
    """State that stays in the worker."""

    def init(self) -> None:
        self.total = 0

    def add(self, n: int) -> int:
        if n < 0:
            raise AppError("only upwards", code="INVALID_ARGUMENT", metadata={"n": str(n)})
        self.total += n
        return self.total


def main() -> None:
    with DirtyClient(timeout=10) as client:
        print("total", client.execute(APP, "add", 3))
        print("total", client.execute(APP, "add", n=4))
        try:
            client.execute(APP, "add", -1)
        except errors.DirtyAppError as error:
            print("refused:", error.code, error.metadata["n"])


if __name__ == "__main__":
    main()
