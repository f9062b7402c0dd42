"""Observing one network: what it shows of exemplars, in one pass. May import all of `hooks`."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ontogeny.errors import InputError
from ontogeny.hooks.blueprint import blueprint, linear_maps
from ontogeny.hooks.chains import chain_faults, refuse
from ontogeny.hooks.extras import ABOVE_DEALT, EFFECTS, EXTRAS, LINEAR, NULLS, RECTIFIED, effects
from ontogeny.hooks.gathering import Gathering, Observation
from ontogeny.hooks.listening import listening, undisturbed
from ontogeny.hooks.probe import Probe
from ontogeny.hooks.recombination import Recombination, Recombining
from ontogeny.model import stages
from ontogeny.passes import bare, device_of, in_precision, refuse_uninitialised


def observe_network(  # noqa: PLR0913  (what is shown, and what is observed of it)
    model: nn.Module,
    images: np.ndarray | Tensor | Probe,
    token: np.ndarray | None = None,
    *,
    couplings: bool = True,
    extras: bool | Collection[str] = False,
    seed: int = 0,
    recombination: Recombination | None = None,
) -> Observation:
    """Show exemplars to a network and return activations, logits and couplings.

    Parameters
    ----------
    model
        Any network whose Conv2d and Linear layers form a chain; for `couplings=False`, any network
        that uses each such layer once. It is left as it was. What wraps it (torch.compile,
        DataParallel) is left out; of another precision than the exemplars, a copy is observed.
    images
        A `Probe`, or what one is made of; give a `Probe` where many snapshots are observed.
    token
        int [exemplar], with images.
    couplings
        Observe couplings too; costs about one more forward pass.
    extras
        With couplings and tokens, what else to observe, of `EXTRAS`: "nulls" of couplings (about
        a third of a forward pass), "effects": edge attribution and interaction (a second pass with
        gradients, about four forward passes); with a `recombination` "linear" (selectivities of
        pre-activations with dealt weights, about one forward pass), "rectified" (those behind the
        nonlinearity, twenty or so) and "above dealt" (those on dealt parents, as many). True: all.
    seed
        Of the nulls' permutations.
    recombination
        The exemplars that score recombinations; None: these are not made.

    Returns
    -------
    Observation
        float32 (contrast: float16) arrays; see the record for their definitions.

    Raises
    ------
    InputError
        If the network is not a chain, has a batch norm without running statistics, or does not
        return logits; `couplings=False` lifts the first two. If the network cannot be
        differentiated; `extras=False` lifts that. If its weights are not drawn yet, a layer is
        not met exactly once in a pass, or computes in another precision than the exemplars have.
    """
    probe = images if isinstance(images, Probe) else Probe(images, token)
    model = observable(model, probe)
    device = device_of(model)
    with undisturbed(model):
        found = stages(model, probe.example.to(device))
        layers = linear_maps(found, probe.x.shape[1]) if couplings else []
        wired = blueprint(found, layers)
        # wiring is a property of the architecture: found once, remembered for later snapshots
        if couplings and wired not in probe.chains:
            refuse(chain_faults(model, found, probe.example.to(device)))
            probe.chains.add(wired)
        wanted = _extras(extras) if couplings and probe.has_tokens else frozenset()
        recombining = None
        if recombination is not None and LINEAR in wanted:
            recombining = Recombining(found, layers, recombination, rectified=RECTIFIED in wanted)
        gathering = Gathering(found, layers, probe, seed if NULLS in wanted else None, recombining)
        with listening(found, gathering.at_layer, gathering.at_response) as ears:
            logits = []
            for rows, segments in probe.chunks():
                gathering.begin(probe.x[rows].to(device), rows, segments)
                logits.append(_logits(model(gathering.x)))
                ears.complete()
        outputs = torch.cat(logits).cpu()
        if probe.has_tokens and probe.n_groups > outputs.shape[1]:
            msg = (
                f"expected a logit for each of {probe.n_groups} tokens, got {outputs.shape[1]}: "
                "give as many tokens as the network has outputs, or change the network"
            )
            raise InputError(msg)
        coupled = gathering.couplings()
        # after the first pass, as it follows the strongest couplings that this has found
        more = effects(model, gathering, coupled) if EFFECTS in wanted else {}
        if recombining is not None:
            more |= {"recombined": recombining.values(model, ancestors=ABOVE_DEALT in wanted)}
        return replace(gathering.observation(wired, outputs, coupled), **more)


def _extras(asked: bool | Collection[str]) -> frozenset[str]:
    """Return which extras are asked for; refuse what is none of them."""
    if isinstance(asked, bool):
        return frozenset(EXTRAS if asked else ())
    unknown = sorted(set(asked) - set(EXTRAS))
    if unknown:
        msg = f"expected extras of {', '.join(EXTRAS)}, got {', '.join(unknown)}: choose of these"
        raise InputError(msg)
    return frozenset(asked)


def coupling_faults(model: nn.Module, probe: Probe) -> list[str]:
    """Say where a network is no chain, as couplings need it; nothing where it is one.

    Raises
    ------
    InputError
        If the network cannot be observed at all.
    """
    model = observable(model, probe)
    with undisturbed(model):
        example = probe.example.to(device_of(model))
        found = stages(model, example)
        faults = chain_faults(model, found, example)
        if not faults:
            probe.chains.add(blueprint(found, linear_maps(found, probe.x.shape[1])))
        return faults


def network_logits(model: nn.Module, probe: Probe) -> Float[np.ndarray, "exemplar output"]:
    """Return the logits of exemplars alone, in their own order; the network is left as it was."""
    model = observable(model, probe)
    device = device_of(model)
    with undisturbed(model):
        found = [_logits(model(probe.x[rows].to(device))) for rows, _ in probe.chunks()]
        return probe.restore(torch.cat(found).cpu().float())


def observable(model: nn.Module, probe: Probe) -> nn.Module:
    """Return the network as it is observed: the bare one, in the precision of the exemplars.

    Raises
    ------
    InputError
        If its weights are not drawn yet, or it needs to be converted and cannot be copied.
    """
    model = bare(model)
    refuse_uninitialised(model)
    return in_precision(model, probe.x.dtype)


def _logits(output: object) -> Tensor:
    if not isinstance(output, Tensor) or output.dim() != 2:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        msg = f"expected a network that returns logits [exemplar, token], got {shape}: wrap it so"
        raise InputError(msg)
    return output
