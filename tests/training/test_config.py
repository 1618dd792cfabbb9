from pathlib import Path

import pytest

from vertseg.errors import ConfigError
from vertseg.training.config import known_keys, load_recipe
from vertseg.training.recipes import ExamineRecipe, LocateRecipe

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["locate", "locate_tiny", "examine", "examine_tiny"])
def test_the_shipped_recipes_are_read(name: str) -> None:
    recipe = load_recipe(name.split("_")[0], CONFIGS / f"{name}.yaml", [])
    assert isinstance(recipe, LocateRecipe if name.startswith("locate") else ExamineRecipe)
    assert recipe.run.output == f"runs/{name}"


def test_values_have_the_types_of_the_dataclasses() -> None:
    overrides = ["optimisation.learning_rate=1e-3", "data.train_seeds=[5, 9]", "data.phantom.field=thoracic"]
    recipe = load_recipe("locate", CONFIGS / "locate_tiny.yaml", overrides)
    assert isinstance(recipe, LocateRecipe)
    assert recipe.optimisation.learning_rate == 0.001
    assert recipe.data.train_seeds == (5, 9)
    assert recipe.data.phantom.field == "thoracic"
    assert recipe.filters == (8, 8, 8)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("optimisation.learning_rte", "optimisation.learning_rate"),
        ("optimization", "optimisation"),
        ("data.loading.batchsize", "data.loading.batch_size"),
        ("max_steps", "optimisation.max_steps"),
        ("run.thread", "run.threads"),
        ("filter", "filters"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=f"'{wrong}'.*nearest known key is '{nearest}'"):
        load_recipe("locate", CONFIGS / "locate_tiny.yaml", [f"{wrong}=1"])


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("optimisation.max_steps=many", "max_steps"),
        ("data.phantom.field=knee", "knee"),
        ("optimisation.max_steps", "is no override"),
        ("filters.first=8", "holds a value"),
    ],
)
def test_a_wrong_value_is_refused_in_a_sentence(override: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load_recipe("locate", CONFIGS / "locate_tiny.yaml", [override])


def test_wrong_files_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    with pytest.raises(ConfigError, match="cannot be read"):
        load_recipe("locate", path, [])
    path.write_text("a: [")
    with pytest.raises(ConfigError, match="is not YAML"):
        load_recipe("locate", path, [])
    path.write_text("- 1")
    with pytest.raises(ConfigError, match="keys and values"):
        load_recipe("locate", path, [])


def test_known_keys_are_dotted() -> None:
    assert {"data", "data.loading.batch_size", "weights.offset"} <= known_keys(LocateRecipe)
