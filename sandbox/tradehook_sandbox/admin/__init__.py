"""The hand of whoever runs the sandbox: prices, clock, balances, faults, and a look at the books.

Lives under `/_sandbox/`, a path the real exchange does not use. No fault strikes here and no budget is counted.
Wrong input gives 400 and says what would be right.
"""
