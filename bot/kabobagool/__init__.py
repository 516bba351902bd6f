"""Everything that trades one Polymarket market or many. It knows no Kubernetes.

Start reading at `domain/decision.py` (what to do), then `engine/strategy.py` (when to ask), then `execution/client.py` (how an order
leaves).
"""

__version__ = "0.1.0"
