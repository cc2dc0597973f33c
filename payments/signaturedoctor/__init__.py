"""Why a webhook request was refused: pure diagnosis. Keys come in, and only causes and sentences come out."""
