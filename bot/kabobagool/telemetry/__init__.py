"""What can be seen of a running bot: logs, metrics, health, and whether its event loop keeps up.

Imported by `cli`, fed by the engine.
"""
