"""Scores a folder of photographs by Apache Spark.

    spark-submit --py-files liqe_onnx.py score_spark.py export/onnx/model-image.onnx photos scores.parquet
"""
import os
import sys

import pandas as pd
from pyspark import SparkFiles
from pyspark.sql import SparkSession

from liqe_onnx import COLUMNS, Scorer

model, photos, out = sys.argv[1:]
NAME = os.path.basename(model)


def score(batches):
    scorer = Scorer(SparkFiles.get(NAME))  # once a task, however many batches it has
    for batch in batches:
        rows = pd.DataFrame([scorer.score(content) for content in batch.content], columns=COLUMNS)
        yield pd.concat([batch[["path"]], rows], axis=1)


spark = SparkSession.builder.appName("liqe").getOrCreate()
# Photographs of a batch are in memory at once; the default is 10,000
spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
spark.sparkContext.addFile(os.path.abspath(model))
images = (
    spark.read.format("binaryFile")
    .option("recursiveFileLookup", "true")
    .option("pathGlobFilter", "*.{jpg,jpeg,png,webp,bmp,JPG,JPEG,PNG}")
    .load(photos)
    .select("path", "content")
)
# Spark packs small files together, up to 128 MB a task: spread them, so that every core has some
tasks = 4 * spark.sparkContext.defaultParallelism
scores = images.repartition(tasks).mapInPandas(score, "path string, quality double, scene string, distortion string, error string")
scores.write.mode("overwrite").parquet(out)
spark.stop()
