"""Fits Spark's ALS on the events that Ouzel has sealed, and writes the items' factors for `ouzel versions import`.

    spark-submit als.py DATA_DIR --out factors --until 2026-11-01T00:00:00Z

DATA_DIR is Ouzel's data folder, or a copy of its `segments.json` and `segments/` where Spark can read it (s3a://…,
hdfs://…). Two models are fitted: one on the events up to --until, which the gate judges by what came later, and one on all
events, which answers. Without --until there is only the second. The command that imports them is printed at the end.
"""

import argparse
import json
from datetime import datetime
from typing import NamedTuple

from pyspark.ml.feature import StringIndexer, StringIndexerModel
from pyspark.ml.recommendation import ALS, ALSModel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

# The weights of Ouzel's own settings, [ingest.weights]; other types weigh 1 (ingest.default_weight).
WEIGHTS = {"purchase": 1.0, "view": 0.1, "click": 0.2, "cart": 0.5, "dislike": -1.0}


class Fit(NamedTuple):
    """A fitted model, and the ids behind its numbers."""

    model: ALSModel
    users: list[str]
    items: list[str]


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line; the defaults are Spark's, and implicitPrefs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA_DIR")
    parser.add_argument("--out", required=True, help="a folder, which is written anew")
    parser.add_argument("--until", type=datetime.fromisoformat, help="with its zone, as 2026-11-01T00:00:00Z")
    parser.add_argument("--rank", type=int, default=10)
    parser.add_argument("--max-iter", type=int, default=10)
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--reg-param", type=float, default=0.1)
    parser.add_argument("--weight-power", type=float, default=0.0, help="0 to 1; 0: every rating is 1")
    parser.add_argument("--weight", action="append", default=[], metavar="TYPE=WEIGHT", help="over Ouzel's defaults")
    parser.add_argument("--seed", type=int, default=42)
    args = parser.parse_args(given)
    if args.until is not None and args.until.tzinfo is None:
        parser.error("--until: give the zone, as in 2026-11-01T00:00:00Z")
    return args


def events(spark: SparkSession, data: str) -> DataFrame:
    """The sealed events. Only the segments that the list names belong to the log."""
    written = spark.read.text(f"{data}/segments.json", wholetext=True).first()
    if written is None:
        raise SystemExit(f"{data}: no event is sealed yet (storage.seal_events)")
    segments = json.loads(written[0])["list"]["segments"]
    return spark.read.parquet(*(f"{data}/segments/{segment['file']}" for segment in segments))


def ratings(sealed: DataFrame, args: argparse.Namespace) -> DataFrame:
    """user, item, rating: of each pair that is liked in sum, as Ouzel counts it when it folds a user in."""
    weights = WEIGHTS | {kind: float(weight) for kind, weight in (given.split("=") for given in args.weight)}
    table = F.create_map(*(F.lit(part) for pair in weights.items() for part in pair))
    weight = F.coalesce(table[F.col("type")], F.lit(1.0)) * F.col("value")
    summed = sealed.groupBy("user", "item").agg(F.sum(weight).alias("weight")).where("weight > 0")
    rating = F.least(F.greatest(F.pow("weight", F.lit(args.weight_power)), F.lit(0.125)), F.lit(8.0))
    return summed.select("user", "item", rating.alias("rating"))


def fit(rated: DataFrame, args: argparse.Namespace) -> Fit:
    """ALS wants numbers for ids: they are given here, and taken back in `write`."""
    rated = rated.cache()
    numbers: list[StringIndexerModel] = []
    for side in ("user", "item"):
        numbers.append(StringIndexer(inputCol=side, outputCol=f"{side}_number").fit(rated))
        rated = numbers[-1].transform(rated)
    als = ALS(
        rank=args.rank,
        maxIter=args.max_iter,
        regParam=args.reg_param,
        alpha=args.alpha,
        implicitPrefs=True,
        userCol="user_number",
        itemCol="item_number",
        ratingCol="rating",
        seed=args.seed,
    )
    return Fit(als.fit(rated), *(list(indexer.labels) for indexer in numbers))


def write(spark: SparkSession, fitted: Fit, path: str):
    """item, features: the factors under the items' own ids."""
    ids = spark.createDataFrame(list(enumerate(fitted.items)), "id int, item string")
    fitted.model.itemFactors.join(ids, "id").select("item", "features").write.mode("overwrite").parquet(path)


def main(given: list[str] | None = None) -> dict[str, Fit]:
    """Fits and writes; gives the models by the folder below --out that they were written to."""
    args = arguments(given)
    spark = SparkSession.builder.appName("ouzel-als").getOrCreate()
    sealed = events(spark, args.data)
    parts = {"all": sealed}
    settings = f"--alpha {args.alpha} --reg-param {args.reg_param} --weight-power {args.weight_power}"
    if args.until is not None:
        # Events without a time count as before, for Ouzel too.
        until = F.timestamp_millis(F.lit(int(args.until.timestamp() * 1000)))
        parts["judged"] = sealed.where(F.col("timestamp").isNull() | (F.col("timestamp") <= until))
        settings += f" --judge-by {args.out}/judged --trained-until {args.until.isoformat()}"
    fits = {}
    for name, part in parts.items():
        fits[name] = fit(ratings(part, args), args)
        write(spark, fits[name], f"{args.out}/{name}")
    print(f"ouzel versions import {args.out}/all {settings}")
    return fits


if __name__ == "__main__":
    main()
