"""A process of its own that trades a little and dies where it is told: started by the journal tests, never imported.

Its arguments are JOURNAL STEP HOST CONDITION TOKEN. It claims the market, journals an order and stops at STEP, after saying "ready" on a
line of its own: `claimed` before anything is written, `recorded` between journal and POST, `sent` between POST and reply; `full` goes on
until the disk takes no more.
"""

import asyncio
import random
import resource
import signal
import sys
from pathlib import Path

from tests.execution.bench_account import a_market, buy, intent_of
from tests.support.paper import TEST_KEY

from kabobagool.clock import SystemClock
from kabobagool.execution.credentials import ensure_credentials
from kabobagool.execution.fast import FastExecution
from kabobagool.execution.fast_signer import FastSigner
from kabobagool.execution.journal import Journal, JournalError
from kabobagool.execution.wallet import Wallet
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import AiohttpTransport


def say(*words: object) -> None:
    print(*words, flush=True)


async def execution_at(host: str) -> FastExecution:
    wallet, clock = Wallet(private_key=TEST_KEY), SystemClock()
    credentials = await ensure_credentials(host=host, wallet=wallet, clock=clock)
    address = FastSigner(wallet=wallet, clock=clock, rng=random.Random()).address
    reader = Reader(AiohttpTransport(), clock=clock, rng=random.Random())
    clob = ClobReader(reader, host, clock=clock, credentials=credentials, address=address)
    return FastExecution(host=host, wallet=wallet, credentials=credentials, reader=clob, clock=clock, rng=random.Random())


async def fill_the_disk(journal: Journal, execution: FastExecution, condition_id: str) -> None:
    """Records until the journal refuses, then says how many it took."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = 256 * 1024
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    market = a_market(condition_id=condition_id)
    for number in range(10_000):
        signed = await execution.prepare(buy(4800, 10), market)
        try:
            await journal.record(intent_of(f"intent-{number}", signed))
        except JournalError as error:
            say("refused", number, error)
            return


async def main(path: Path, step: str, host: str, condition_id: str, token: str) -> None:
    journal = await Journal.open(path, clock=SystemClock())
    await journal.claim(condition_id)
    if step == "claimed":
        say("ready")
        await asyncio.sleep(60)
    execution = await execution_at(host)
    if step == "full":
        return await fill_the_disk(journal, execution, condition_id)
    market = a_market(condition_id=condition_id, tokens=(token, "222"))
    signed = await execution.prepare(buy(4800, 10), market)
    await journal.record(intent_of("the-intent", signed))
    if step == "sent":
        sending = asyncio.ensure_future(execution.submit(signed))
        await asyncio.sleep(0.1)
        assert not sending.done()
    say("ready", signed.order_hash)
    await asyncio.sleep(60)
    return None


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:6]))
