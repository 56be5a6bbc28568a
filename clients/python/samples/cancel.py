"""A caller who leaves a stream ends its generator; a caller's deadline sets `cancelled`.

Run the daemon beside it: dirtyd serve --app cancel:Endless
"""

from collections.abc import Iterator

from dirtyd import DirtyApp, DirtyClient, current_call, errors

APP = "cancel:Endless"


class Endless(DirtyApp):
    """Work that ends only when nobody wants it any longer."""

    def init(self) -> None:
        self.closed = 0

    def count(self) -> Iterator[int]:
        number = 0
        try:
            while True:
                yield number
                number += 1
        finally:
            self.closed += 1

    def ponder(self) -> None:
        while not current_call().wait(0.1):
            pass

    def how_many_closed(self) -> int:
        return self.closed


def main() -> None:
    with DirtyClient(timeout=10) as client:
        with client.stream(APP, "count") as numbers:
            print("first three:", next(numbers), next(numbers), next(numbers))
        print("generators closed:", client.execute(APP, "how_many_closed"))
        try:
            client.options(timeout=0.3).execute(APP, "ponder")
        except errors.DirtyTimeoutError as error:
            print("gave up:", error.code)
        print("generators closed:", client.execute(APP, "how_many_closed"))


if __name__ == "__main__":
    main()
