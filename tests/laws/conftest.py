"""The laws run on everything that is registered: registering a learner is what puts it under them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamlearn import registry
from streamlearn.learner import Learner
from streamlearn.models import make_learner

# Compositions stand for themselves here; every other registered name is made with its defaults.
SPECS = {"chain": "standard_scaler | logistic_regression"}
EXTRA = [
    "drift_moe_classifier:variant=task,grace_period=5,delta=0.5,tau=0.5",
    "drift_moe_classifier:variant=task,fidelity=published",
    "half_space_trees:n_trees=3,height=3,window_size=4",
    "one_bit_cache_learner:capacity=2,window=2,memory=3,epsilon=1.0",
    "standard_scaler | k_means:n_clusters=3,halflife=0.3",
    "knn_classifier:n_neighbors=3,window_size=7,weighted=true",
    "knn_regressor:n_neighbors=3,window_size=7,scale=false,aggregation_method=weighted_mean",
    "standard_scaler | min_max_scaler | naive_bayes",
    "standard_scaler | linear_regression",
    "hoeffding_tree_classifier:grace_period=5,delta=0.5,tau=0.5",
    "hoeffding_tree_classifier:grace_period=5,delta=0.5,tau=0.5,binary_split=true,leaf_prediction=mc",
    "hoeffding_tree_regressor:grace_period=5,delta=0.5,tau=0.5,min_samples_split=1,n_bins=8,residual_weight=0.5",
    "hoeffding_tree_regressor:grace_period=5,delta=0.5,tau=0.5,binary_split=true,leaf_prediction=mean",
    "adaptive_random_forest_classifier:n_models=3,grace_period=5,delta=0.5,tau=0.5,drift_delta=0.3,warning_delta=0.5,lambda_value=2",
    "adaptive_random_forest_regressor:n_models=3,max_features=2,grace_period=5,delta=0.5,tau=0.5,n_bins=8,drift_delta=0.9,"
    "warning_delta=1.0,min_samples_split=1,threads=2,disable_weighted_vote=false,aggregation_method=mean",
    "oza_bag_classifier:n_models=3,grace_period=5,delta=0.5,tau=0.5,threads=2",
    "oza_boost_classifier:n_models=3,grace_period=5,delta=0.5,tau=0.5",
    "leveraging_bagging_classifier:n_models=3,grace_period=5,delta=0.5,tau=0.5,adwin_delta=0.5",
    "streaming_random_patches_classifier:n_models=3,grace_period=5,delta=0.5,tau=0.5,drift_delta=0.3,warning_delta=0.5",
    "rls_regressor:forgetting=0.9",
    "ridge_regressor:forgetting=0.9,every=5",
    "ei_reservoir_regressor:n_units=12,warm_up=5,washout=1,adapt_steps=7,forgetting=0.9,adaptation=online",
    "ei_reservoir_regressor:reservoir=tanh,n_units=12,warm_up=5,washout=0,readout=nlms,feedback=output",
    "ei_reservoir_classifier:n_units=12,warm_up=5,washout=1,adapt_steps=7,forgetting=0.9",
    "hoeffding_adaptive_tree_regressor:grace_period=5,delta=0.5,tau=0.5,drift_window_threshold=5,drift_delta=0.5",
]

NAMES = [SPECS.get(name, name) for name in registry.names("learners")] + EXTRA
PREDICTORS = [name for name in NAMES if make_learner(name).task != "transformation"]

Maker = Callable[[], Learner]


@pytest.fixture(params=PREDICTORS)
def make(request: pytest.FixtureRequest) -> Maker:
    """Makes one of the learners that predict."""
    return lambda: make_learner(request.param)


@pytest.fixture(params=NAMES)
def make_any(request: pytest.FixtureRequest) -> Maker:
    """Makes one of all learners, transformers included."""
    return lambda: make_learner(request.param)
