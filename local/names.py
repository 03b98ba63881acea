"""Generated names as CloudFormation makes them: another stack of the same name has others.

The stand-in derives them from the names of stack and resource alone, so that a stack would take over what the one
before it, deleted, was told to keep.
"""

from typing import Any

from local.gateway import service


def install() -> None:
    """Have generated names depend on the stack's id."""
    provisioners, stacks = service("cloudformation.provisioners"), service("cloudformation")._stacks
    generate, seeds = provisioners._physical_name, provisioners._NAME_SEED

    def physical_name(stack_name: str, logical_id: str, **options: Any) -> str:
        seed = seeds.set(f"{seeds.get()}{(stacks.get(stack_name) or {}).get('StackId', '')}")
        try:
            return str(generate(stack_name, logical_id, **options))
        finally:
            seeds.reset(seed)

    provisioners._physical_name = physical_name
