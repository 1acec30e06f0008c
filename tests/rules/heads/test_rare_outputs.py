"""Last activations and joined shares that losses do not suit, each with a sound twin."""

from __future__ import annotations

import pytest

from modelaudit.rules.catalogue import rule
from tests.rules.saved import codes, found
from tests.rules.test_made_designs import dense, layer, names
from tests.rules.test_made_designs import found as judged

SPARSE = "sparse_categorical_crossentropy"


@pytest.mark.parametrize("last", ["elu", "selu", "gelu", "silu", "swish", "mish"])
@pytest.mark.parametrize("units", [1, 3])
def test_an_output_with_few_negative_values(last, units):
    head, distance = dense(units, last), {"loss": "mse"}
    assert names(judged("MA306", head, training=distance), "no activation") == "low"
    raised = layer("Rescaling", scale=10.0, offset=5.0)
    assert judged("MA306", head, raised, training=distance) == []
    assert judged("MA306", dense(units, "softplus"), training=distance) == []
    pixels = layer("Conv2D", filters=3, kernel_size=[3, 3], activation=last)
    assert judged("MA306", pixels, training=distance) == []


def test_a_hard_sigmoid_under_a_cross_entropy():
    for hard in (
        [dense(1, "hard_sigmoid")],
        [dense(1, "linear"), layer("Activation", activation="hard_sigmoid")],
    ):
        found_ = judged("MA306", *hard, training={"loss": "binary_crossentropy"})
        assert names(found_, 'activation="sigmoid"') == "low"
    assert judged("MA306", dense(1, "sigmoid"), training={"loss": "binary_crossentropy"}) == []
    gate = dense(8, "hard_sigmoid")
    assert (
        judged("MA306", gate, dense(1, "sigmoid"), training={"loss": "binary_crossentropy"}) == []
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
class TestJoinedShares:
    @pytest.fixture
    def told(self, keras, tmp_path):
        def compiled(given, result, loss):
            model = keras.Model(given, result)
            model.compile("adam", loss)
            return codes([rule("MA306")], model, tmp_path)

        return compiled

    @pytest.mark.parametrize("loss", ["categorical_crossentropy", SPARSE])
    def test_softmaxes_side_by_side(self, keras, told, tmp_path, loss):
        layers = keras.layers
        given = keras.Input((8,))
        both = [layers.Dense(n, "softmax")(given) for n in (3, 4)]
        assert told(given, layers.Concatenate()(both), loss) == [("MA306", "low")]
        (only,) = found([rule("MA306")], tmp_path / "model.keras")
        assert "joins 2 softmaxes" in only.detail
        assert told(given, both, [loss, loss]) == []
        alike = [layers.Dense(4, "softmax")(given) for _ in "ab"]
        assert told(given, layers.Average()(alike), loss) == []

    @pytest.mark.parametrize("name", ["Flatten", "Reshape"])
    def test_positions_in_one_row(self, keras, told, tmp_path, name):
        layers = keras.layers
        given = keras.Input((6, 3))
        row = layers.Flatten() if name == "Flatten" else layers.Reshape((24,))
        shares = layers.Dense(4, "softmax")(given)
        assert told(given, row(shares), "categorical_crossentropy") == [("MA306", "low")]
        (only,) = found([rule("MA306")], tmp_path / "model.keras")
        assert "6 positions" in only.detail
        assert told(given, shares, "categorical_crossentropy") == []
        one = layers.Dense(4, "softmax")(layers.Flatten()(given))
        assert told(given, one, "categorical_crossentropy") == []
        column = layers.Dense(4, "softmax")(layers.Reshape((1, 18))(given))
        assert told(given, layers.Flatten()(column), "categorical_crossentropy") == []
