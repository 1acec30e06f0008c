"""What the names of losses of a program's own tell, and what they do not."""

from __future__ import annotations

import pytest

from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.loss_mismatches import MISMATCHES


def said(last, loss, units=1):
    """The findings on a head with this activation under a function of this name."""
    saved = {"class_name": "function", "config": loss}
    return run_rule(rule("MA306"), example_head(last, saved, units)()).findings


@pytest.mark.parametrize(
    ("last", "loss", "units", "fix"),
    [
        ("linear", "dice_loss", 1, "sigmoid"),
        ("relu", "jaccard_distance_loss", 1, "sigmoid"),
        ("linear", "bce_dice_loss", 3, "softmax"),
        ("linear", "focal_loss", 1, "sigmoid"),
        ("tanh", "weighted_binary_crossentropy", 1, "sigmoid"),
        ("linear", "weighted_categorical_crossentropy", 4, "softmax"),
        ("sigmoid", "weighted_categorical_crossentropy", 4, "softmax"),
        ("linear", "weighted_cross_entropy", 4, "softmax"),
        ("softmax", "my_bce", 4, "categorical_crossentropy"),
        ("sigmoid", "rmse", 1, "no activation"),
        ("tanh", "custom_mse", 1, "no activation"),
        ("sigmoid", "MSELoss", 1, "no activation"),
        ("sigmoid", "RMSELoss", 1, "no activation"),
        ("relu", "BCELoss", 1, "sigmoid"),
        ("relu", "root_mean_squared_error", 1, "no activation"),
        ("sigmoid", "quantile_loss", 1, "no activation"),
        ("sigmoid", "wasserstein_loss", 1, "no activation"),
        ("tanh", "own>wasserstein_loss", 1, "no activation"),
        ("softmax", "softmax_cross_entropy", 4, "Remove the activation"),
        ("sigmoid", "sigmoid_crossentropy", 1, "Remove the activation"),
        ("sigmoid", "weighted_cross_entropy_with_logits", 1, "Remove the activation"),
    ],
)
def test_heads_that_do_not_suit_what_a_loss_seems_to_be(last, loss, units, fix):
    (only,) = said(last, loss, units)
    assert (str(only.severity), str(only.confidence)) == ("low", "low")
    assert f"by the name of {loss.lower()} alone" in only.detail
    assert fix in only.fix and "from_logits" not in only.fix


@pytest.mark.parametrize(
    ("last", "loss", "units"),
    [
        ("linear", "softmax_cross_entropy", 4),
        ("sigmoid", "dice_loss", 1),
        ("softmax", "dice_loss", 4),
        ("softmax", "focal_loss", 4),
        ("sigmoid", "focal_loss", 4),
        ("sigmoid", "weighted_binary_crossentropy", 4),
        ("softmax", "weighted_categorical_crossentropy", 4),
        ("sigmoid", "weighted_cross_entropy", 4),  # of independent labels
        ("linear", "weighted_cross_entropy_with_logits", 1),
        ("linear", "rmse", 1),
        ("linear", "giou_loss", 4),
        ("linear", "wasserstein_loss", 1),
        ("linear", "vae_mse_loss", 1),
        ("linear", "masked_sparse_crossentropy", 9),
        ("sigmoid", "custom_loss", 1),
        ("linear", "loss", 1),
    ],
)
def test_heads_that_suit_it_or_names_that_tell_nothing(last, loss, units):
    assert not said(last, loss, units)


@pytest.mark.parametrize("row", MISMATCHES, ids=lambda row: row.fix)
def test_a_fix_that_changes_the_loss_says_so(row):
    """A function of the program's own need not have `from_logits`."""
    assert row.changes_loss is ("from_logits" in row.fix)
