"""The catalogue's entries: facts about benchmark streams, none of them computed."""

from __future__ import annotations

from .catalogue import Dataset

ENTRIES = (
    Dataset(
        name="airlines",
        description="Will a flight be late? Flights in the United States, in order of departure.",
        rows=539_383,
        features=7,
        nominal=4,
        classes=2,
        sha256="adc535bf50d59babb468559f4a64ea326057124976249fb76f771609878ee4ba",
        licence="derived from public data of the US Department of Transportation",
        source="the repository TechyNilesh/samlb (new_airlines.npz), or airlines.arff of the MOA project",
        citation="E. Ikonomovska, J. Gama, S. Džeroski: Learning model trees from evolving data streams. Data Mining "
        "and Knowledge Discovery 23, 2011; prepared for classification by the MOA project",
    ),
    Dataset(
        name="chess",
        description="Will the game be won? Online games of one chess player.",
        rows=503,
        features=8,
        nominal=0,
        classes=2,
        sha256="38a633fa386fcbc7d1f8324b3d8ae572d6b52acd8458f4e9cfb7131072215543",
        licence="none stated",
        source="the repository ogozuacik/concept-drift-datasets-scikit-multiflow (real-world/chessweka.csv)",
        citation="I. Žliobaitė: Combining similarity in time and space for training set formation under concept drift. "
        "Intelligent Data Analysis 15, 2011",
    ),
    Dataset(
        name="covertype",
        description="Which trees cover a plot of forest? Not a stream by nature, but neighbours follow each other.",
        rows=581_012,
        features=54,
        nominal=44,
        classes=7,
        sha256="03a73cf55f6f43b58730ee4fe3ba0db525ff9b69ad2446c400acef043272b0eb",
        licence="CC BY 4.0",
        source="the UCI repository (Covertype), or covtype.csv of the package scikit-multiflow 0.3.0",
        citation="J. A. Blackard, D. J. Dean: Comparative accuracies of artificial neural networks and discriminant "
        "analysis in predicting forest cover types. Computers and Electronics in Agriculture 24, 1999",
    ),
    Dataset(
        name="electricity",
        description="Will the price go up? The market of New South Wales, half-hourly, 1996 to 1998.",
        rows=45_312,
        features=8,
        nominal=1,
        classes=2,
        sha256="1155da14a17411a064f38c8d63358f5fedc500396e95a90cd638b3bbb11131f4",
        licence="none stated; a public benchmark",
        source="this package, or the repository hmgomes/AdaptiveRandomForest (elecNormNew.arff)",
        citation="M. Harries: Splice-2 comparative evaluation: electricity pricing. University of New South Wales, "
        "1999; J. Gama, P. Medas, G. Castillo, P. Rodrigues: Learning with drift detection. SBIA 2004",
        shipped=True,
    ),
    Dataset(
        name="kdd99_10pct",
        description="Which attack is a connection? The ten-per-cent sample of KDD Cup 1999.",
        rows=494_021,
        features=41,
        nominal=7,
        classes=23,
        sha256="10dd129136b1187b06221f5da870762da0a07831a1362a4f662d0775baeb6eb1",
        licence="none stated",
        source="the UCI repository (KDD Cup 1999), or the repository Kapetis/ST2 (kddcup.data_10_percent.gz)",
        citation="S. J. Stolfo, W. Fan, W. Lee, A. Prodromidis, P. K. Chan: Cost-based modeling for fraud and "
        "intrusion detection. DISCEX 2000",
    ),
    Dataset(
        name="keystroke",
        description="Who types? Four users, whose typing changes.",
        rows=1_600,
        features=10,
        nominal=0,
        classes=4,
        sha256="b568cb916afae27656fd274267a29d665dfb68f51d7c44315ee0c9da7d9800f6",
        licence="none stated",
        source="the repository vlosing/driftDatasets (artificial/souza/keystroke)",
        citation="V. M. A. Souza, D. F. Silva, J. Gama, G. E. A. P. A. Batista: Data stream classification guided by "
        "clustering on nonstationary environments and extreme verification latency. SDM 2015",
    ),
    Dataset(
        name="outdoor",
        description="Which object is it? Forty objects, filmed outdoors in changing light.",
        rows=4_000,
        features=21,
        nominal=0,
        classes=40,
        sha256="153defa1ea1637c65fcd2d8722a20114d83608bc053dcf3079c1ed0bec28cf6b",
        licence="none stated",
        source="the repository vlosing/driftDatasets (realWorld/outdoor)",
        citation="V. Losing, B. Hammer, H. Wersing: Interactive online learning for obstacle classification on a "
        "mobile robot. IJCNN 2015",
    ),
    Dataset(
        name="phishing",
        description="Is a web site phishing? One-hot features of web sites.",
        rows=11_055,
        features=46,
        nominal=0,
        classes=2,
        sha256="8155d1a7d26c6552f68b0d7bbd917256609f148119aa2f63d70822324a4a5696",
        licence="none stated",
        source="the repository ogozuacik/concept-drift-datasets-scikit-multiflow (real-world/phishing.csv)",
        citation="R. M. Mohammad, F. Thabtah, L. McCluskey: An assessment of features related to phishing websites "
        "using an automated technique. ICITST 2012",
    ),
)
