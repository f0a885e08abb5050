"""Two paired devices on this machine: one says something, and both renew their keys from what was said."""

import asyncio
import secrets
import tempfile

from iotkm import Triple, aio


async def main() -> None:
    factory = [secrets.token_bytes(32) for _ in range(3)]  # or a person enters a secret: hub.listen() and hub.pair()
    local = ("127.0.0.1", 0)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            aio.Hub(aio.Directory(f"{folder}/gateway"), own_id=b"gateway", bind=local) as gateway,
            aio.Hub(aio.Directory(f"{folder}/sensor"), own_id=b"sensor", bind=local) as sensor,
        ):
            to_sensor = await gateway.provision(b"sensor", Triple(*factory))
            to_gateway = await sensor.provision(b"gateway", Triple(*factory))

            await to_sensor.connect(sensor.address)
            await to_sensor.send(b"how warm is it?")
            print((await anext(to_gateway)).payload)
            print("keys of generation", await to_gateway.update())


if __name__ == "__main__":
    asyncio.run(main())
