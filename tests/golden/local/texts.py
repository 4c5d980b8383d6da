"""texts.py: what the tests of local models embed and rank, from one token to more than fit."""
WHO = ("detective", "king", "chef", "bat", "penguin", "queen", "space ship", "masked man", "train",
       "egg")
LONG = " ".join(f"The {word} of the old city follows a hero, and {word}s fight crime at night!"
                for word in WHO)

TEXTS = [
    "bats",
    "Night train",
    "A detective follows a murder mystery on a train.",
    "日本 Café: the Penguins' ISLAND (1992) - ice, birds & 1 egg?",
    "superheroes fighting crime in dark, dark cities",
    "x",
    "!",
    "A young chef learns to cook soup; the war is over, and love is in the house of the old king "
    "and queen.",
    LONG,
    "naïve\u00a0co-ordination \ufb01lm\tÅngström",
]

QUERY = "super hero mystery action movie about bats"
DOCUMENTS = [
    "Batman",
    "A masked hero fights crime in a dark city.",
    "Bats live in a cave under the old house.",
    "日",
    LONG,
    "Birds on the ice look for their egg, and the ship follows.",
]
