"""A fast loopback API: lists of 1 KB records in Stripe's form, made in advance."""

import asyncio
import sys
from urllib.parse import parse_qs, urlsplit

import orjson

PAGE = 1000
EPOCH = 1_750_000_000


def record(number: int) -> dict[str, object]:
    """A customer of about 1 KB."""
    return {
        "id": f"cus_{number:09d}",
        "object": "customer",
        "created": EPOCH + number,
        "email": f"person{number}@example.com",
        "name": f"Person {number}",
        "currency": "eur",
        "balance": number % 1000,
        "delinquent": number % 7 == 0,
        "livemode": False,
        "metadata": {"note": "x" * 760},
    }


def pages(records: int) -> dict[str, bytes]:
    """Whole HTTP answers by the `starting_after` that asks for them."""
    answers = {}
    after = ""
    for start in range(0, records, PAGE):
        rows = [record(number) for number in range(start, min(start + PAGE, records))]
        more = start + PAGE < records
        body = orjson.dumps({"object": "list", "data": rows, "has_more": more})
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        answers[after] = head.encode() + body
        after = str(rows[-1]["id"])
    return answers


async def serve(records: int, latency: float) -> None:
    """Answer on a free port, which is printed, until the process is ended."""
    answers = pages(records)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            while (await reader.readline()).strip():
                pass  # no header matters
            query = parse_qs(urlsplit(line.split()[1].decode()).query)
            await asyncio.sleep(latency)
            writer.write(answers[query.get("starting_after", [""])[0]])
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
