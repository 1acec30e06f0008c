"""Faulty programs from repositories, from the examples of published tools, and from forums.

Fault and fix are those of the commit, the paper or the answers; where a thread has no accepted
answer, `basis` says whose reading it is. Layers and settings are the programs', widths and data
are smaller.
"""

from __future__ import annotations

from benchmarks.programs.program import Program, Setup

ENTROPY = "categorical_crossentropy"
DEEP = "; ".join(["dense 10 relu"] * 9)
UNET = "conv 8 3 relu same; pool 2; conv 16 3 relu same; up 2; conv 8 3 relu same"
OTHERS = (
    Program(
        *("so-31556268", "so:31556268", "learns XOR from four rows"),
        *("MAE with a sigmoid; slow SGD", "MSE and Adam, or more epochs", "answer"),
        *("loss-choice", "config"),
        Setup(
            *("corners", "dense 4; act sigmoid; dense 1; act sigmoid"),
            *("mae", "sgd 0.05 momentum=0.11 nesterov", "300 4 4"),
        ),
        "cross-?entropy|crossentropy|squared",
    ),
    Program(
        *("so-46995209", "so:46995209", "the year of a song by 90 raw features"),
        *("features not scaled; too many narrow layers", "scale; fewer layers", "paper"),
        *("unscaled-input", "data"),
        Setup(
            *("years", f"dense 10 tanh; dense 90 tanh; {DEEP}; dense 1", "mse"),
            *("adam", "15 32 1500"),
            metric="",
        ),
        "scal|standardi|normali",
        {
            "data": "years standard target",
            "layers": "dense 10 relu; dense 25 relu; dense 1",
            "train": "30 32 1500",
        },
    ),
    Program(
        *("so-37213388", "so:37213388", "an autoencoder of digits, two epochs"),
        *("too few epochs", "ten epochs", "paper", "undertrained", "training"),
        Setup(
            *("digits 20 flat itself", "dense 32 relu; dense 400 sigmoid", "binary_crossentropy"),
            *("adadelta 1", "2 256 2000"),
            metric="",
        ),
        "longer|epoch|learning rate",
    ),
    Program(
        *("so-48594888", "so:48594888", "a convolutional net for ten classes of pictures"),
        *("too few updates: five epochs of large batches", "more epochs, other batch size"),
        *("paper", "undertrained", "training"),
        Setup(
            "scenes 24 10 byte onehot",
            "conv 16 3 relu init=he_normal; pool 2; conv 32 3 relu init=he_normal; pool 2; flatten;"
            "dense 64 relu; drop 0.3; dense 10 softmax",
            *(ENTROPY, "adam", "5 100 1000"),
        ),
        "longer|epoch|learning rate",
    ),
    Program(
        *("so-56103207", "so:56103207", "four kinds of drawings, sorted by kind"),
        *("the validation split took the last kind out of training", "shuffle first", "answer"),
        *("class-missing", "data"),
        Setup(
            "digits 20 4 sorted onehot",
            "conv 8 5 relu; pool 2; conv 16 3 relu; pool 2; flatten; dense 32 relu; dense 16 relu;"
            "dense 4 softmax",
            *(ENTROPY, "adam", "3 50 400"),
        ),
        "shuffl|class|split",
        {"data": "digits 20 4 onehot", "train": "5 50 1200"},
    ),
    Program(
        *("so-l2", "https://stackoom.com/en/question/4HpqD", "a dense net for digits"),
        *("L2 on a sigmoid layer with dropout 0.5: accuracy stays at 10 %", "less of both"),
        *("answer", "regularization", "training"),
        Setup(
            *("digits 20 flat onehot", "dense 36 sigmoid l2=0.01; drop 0.5; dense 10 softmax"),
            *(ENTROPY, "rmsprop", "10 64 1500"),
        ),
        "regulari|L2|dropout",
        {"layers": "dense 36 sigmoid; drop 0.2; dense 10 softmax"},
    ),
    Program(
        *("so-73462535", "so:73462535", "a dense net for digits that needs learning rate 5"),
        *("MSE with a softmax has tiny gradients", "cross-entropy and a usual rate", "answer"),
        *("loss-choice", "config"),
        Setup(
            *("digits 20 flat onehot", "dense 64 sigmoid; dense 10 softmax", "mse"),
            *("sgd 5", "150 1000 1000"),
            metric="",
        ),
        "cross-?entropy|crossentropy",
        {"loss": ENTROPY, "optimizer": "adam", "train": "15 32 1000"},
    ),
    Program(
        *("so-cnn-constant",),
        "http://pullrequest.ru/10248037/cnn-keras-shodyatsya-odnomu-tomu-zhe-znacheniy-nezavisimo-vvoda",
        *("a convolutional net that answers the same for every image", "pixels 0 to 255"),
        *("divide by 255", "answer", "unscaled-input", "data"),
        Setup(
            "digits 20 byte onehot",
            "conv 8 3 relu; pool 2; flatten; dense 32 relu; dense 10 softmax",
            *(ENTROPY, "sgd 0.01 momentum=0.9", "4 32 1200"),
        ),
        "scal|normali|255",
        {"data": "digits 20 onehot"},
    ),
    Program(
        *(
            "gh-facial",
            "gh:ShyamPoovaiah/FacialKeypointsDetection/commit/654392560f25688822862126005f576b682e38ad",
        ),
        *("places of two eyes", "Adam with learning rate 0.1; three layers, no activation"),
        *("SGD 0.01 with momentum", "paper", "learning-rate-high", "config"),
        Setup("faces", "dense 50; dense 100; dense 4", "mse", "adam 0.1", "10 32 800"),
        "rate|activation",
    ),
    Program(
        *("gh-kerasma", "gh:eangelou/kerasma/commit/2a2a46f46559a03855c22f55971ca1d3ed51430c"),
        *("diabetes by eight raw features", "dense layers are missing", "wider and deeper"),
        *("paper", "capacity", "none"),
        Setup(
            *("pima", "dense 12; act relu; dense 8; act relu; dense 1; act sigmoid"),
            *("binary_crossentropy", "adam", "20 10 768"),
        ),
        "layer|units|capacity",
    ),
    Program(
        *(
            "gh-ddos",
            "gh:Jacobvs/DDOS-ML-Detection/commit/40d55edc86eef081bf212931bc3865a642582cab",
        ),
        *("five kinds of network flows", "widths and dropout do not suit", "narrower layers"),
        *("paper", "capacity", "none"),
        Setup(
            "flows onehot",
            "dense 22 relu init=uniform; drop 0.4; dense 64 relu; drop 0.4; dense 128 relu;"
            "drop 0.4; dense 64 relu; drop 0.4; dense 5 softmax",
            *(ENTROPY, "adam", "2 32 2000"),
        ),
        "layer|units|capacity|dropout",
    ),
    Program(
        *(
            "gh-averaging",
            "gh:vincenty2022/Averaging_Neural_Networks/commit/53c5940f199c8adb44c040d0a3ac03fed724ffbc",
        ),
        *("the squared mean of three numbers", "two dense layers without activation"),
        *("a ReLU layer between them", "paper", "linear-stack", "config"),
        Setup("mean", "dense 2; dense 1", "mse", "rmsprop", "20 32 1000"),
        "activation|relu",
        {"layers": "dense 2; dense 8 relu; dense 1"},
    ),
    Program(
        *(
            "gh-melbourne",
            "gh:yetanotherdeveloper/kaggle-melbourne_properties/commit/3d11b400a53996d30bcde0bebfb96578e99e97c8",
        ),
        *("house prices", "tanh layers and prices of a million as raw targets", "other layers"),
        *("paper", "unscaled-target", "data"),
        Setup(
            "houses",
            "dense 20 init=glorot_normal; act tanh; dense 20 init=glorot_normal; act tanh; dense 1",
            *("mae", "adam", "15 8 1000"),
        ),
        "scal|standardi|normali",
        {"data": "houses target", "layers": "dense 20 relu; dense 20 relu; dense 1"},
    ),
    Program(
        *(
            "gh-traffic",
            "gh:ulmefors/Traffic-Sign-Classifier/commit/e6a48ce24fe62b1cae39274c4ca5c3a5849c67ed",
        ),
        *("traffic signs", "ReLU in the first layers", "sigmoid and ELU there", "paper"),
        *("activation-choice", "none"),
        Setup(
            "scenes 24 10 byte onehot",
            "rescale 255 0.5; conv 3 1; act relu; conv 16 5 strides=2; act relu; conv 32 3;"
            "act relu; pool 2; conv 64 3 relu; flatten; drop 0.5; dense 64; act relu; drop 0.5;"
            "dense 10; act softmax",
            *(ENTROPY, "adam", "4 64 1000"),
        ),
        "elu|activation",
    ),
    Program(
        *(
            "gh-hotdog",
            "gh:sammyhaq/hotdog-sandwich/commit/d45a91e4a059c7fdf549d7fc86261c60144c4b4f",
        ),
        *("two kinds of pictures", "a dense layer without activation; dropout in every block"),
        *("activations everywhere, one dropout", "author", "linear-stack", "config"),
        Setup(
            "digits 20 2 onehot",
            "conv 8 5; drop 0.5; act relu; conv 16 3; drop 0.5; act relu; conv 32 3; drop 0.5;"
            "act relu; flatten; dense 64; act relu; dense 32; dense 2; act softmax",
            *(ENTROPY, "adam", "4 32 800"),
        ),
        "activation|relu",
        {
            "layers": "conv 16 5 elu strides=2; conv 32 3 elu strides=2; conv 32 3 elu same;"
            "flatten; drop 0.2; dense 64 elu; dense 2 softmax",
        },
    ),
    Program(
        *(
            "gh-reviews",
            "gh:tautvydasversockas/MovieReviews_Keras/commit/59119a216e6e3af76c477629ba5e8ecea4fa821b",
        ),
        *("opinions by the words of a text", "overfits: dropout is missing", "dropout 0.5"),
        *("paper", "overfit", "none"),
        Setup(
            *("reviews", "dense 16; act relu; dense 16; act relu; dense 1; act sigmoid"),
            *("binary_crossentropy", "rmsprop", "15 32 400"),
        ),
        "dropout|overfit",
    ),
    Program(
        *("gh-unet", "gh:taashi-s/UNet_Keras/commit/b1b6d938bdd7a3e30f3d1fa58009f4850cbc2958"),
        *("a mask of a disk", "ReLU output of a mask", "sigmoid", "author"),
        *("loss-activation", "config"),
        Setup(
            "masks",
            f"{UNET}; conv 1 1 relu",
            *("dice", "adam", "6 32 300"),
            metric="",
        ),
        "sigmoid",
        {
            "layers": f"{UNET}; conv 1 1 sigmoid",
            "optimizer": "adam 0.01",
            "train": "15 32 300",
        },
    ),
    Program(
        *("gh-tf-encrypted", "gh:tf-encrypted/tf-encrypted/issues/248", "digits"),
        *("no activation at the output, binary cross-entropy for ten classes",),
        *("softmax and categorical cross-entropy", "paper", "loss-activation", "config"),
        Setup(
            "digits 20 onehot",
            "conv 16 5; act relu; avgpool 2; conv 16 5; act relu; avgpool 2; flatten; dense 50;"
            "act relu; dense 10",
            *("binary_crossentropy", "adam", "3 64 1500"),
        ),
        "softmax|from_logits|sigmoid",
        {
            "layers": "conv 16 5 relu; avgpool 2; conv 16 5 relu; avgpool 2; flatten;"
            "dense 50 relu; dense 10 softmax",
            "loss": ENTROPY,
            "train": "6 64 1500",
        },
    ),
)
