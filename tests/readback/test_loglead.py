"""LogLead loads our lines and its detectors run on them; its NezhaLoader loads the Nezha export."""

from loglead import AnomalyDetector
from loglead.enhancers import EventLogEnhancer
from loglead.loaders import NezhaLoader
from loglead.loaders.json import JsonLoader
from sklearn.metrics import f1_score


def test_its_json_loader_and_a_detector(exported, figure):
    out = exported("loglead")
    frame = JsonLoader(filename=str(out / "logs.ndjson"), format=str(out / "anomod.yml")).execute()
    with open(out / "logs.ndjson", encoding="utf-8") as lines:
        assert frame.height == sum(1 for _ in lines)
    assert 0 < frame["anomaly"].sum() < frame.height
    frame = EventLogEnhancer(frame).words()
    detector = AnomalyDetector(item_list_col="e_words", store_scores=True, print_scores=False)
    detector.test_train_split(frame, test_frac=0.5)
    detector.train_DT()
    detector.predict()
    (result,) = detector.storage.test_results
    f1 = f1_score(result["y_test"], result["y_pred"])
    figure("LogLead", f"JsonLoader: {frame.height:,} lines; its decision tree on words, a line: F1 {f1:.2f}")


def test_its_nezha_loader(data, exported, figure):
    for system in sorted({row["system"] for row in data.rows}):
        loader = NezhaLoader(filename=str(exported("nezha") / system), system="TrainTicket")
        frame = loader.execute()
        assert frame["m_message"].str.len_chars().min() > 0
        assert loader.df_trace.height
        assert frame["anomaly"].sum() or not loader.df_label.height
        figure("LogLead", f"NezhaLoader, {system}: {frame.height:,} lines, {loader.df_trace.height:,} spans")
