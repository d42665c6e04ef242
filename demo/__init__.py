"""artlock at work against real servers on this machine: ``python -m demo``.

A story in five chapters. It runs what a person would type, shows what comes back, and ends
with an error if anything comes back that it does not expect.

Modules:
    stage         types commands, shows their output, is strict about both
    world         the servers, the real model, and what is put where
    proofs        compares files and lockfile rows with the originals, byte by byte
    locking       chapter 1: declare, resolve, commit
    reproducing   chapter 2: the sources change; a clone still gets the locked bytes
    drifting      chapter 3: see what moved, take it over, go back
    refusing      chapter 4: a bucket without versions: the right bytes or none
    looking       chapter 5: a person's change is kept; the lockfile outlives the tool
"""
