"""Custom objects of a graph in clusters and of photos in patches, in `photos.py`; copied beside
the models.
"""

from __future__ import annotations

import sys

import tensorflow as tf

keras = sys.modules["__main__"].keras
layers = keras.layers
Layer = layers.Layer
Dense = layers.Dense
MSE = keras.losses.MSE
augment = False


class GraphCoder(Layer):
    """Dense layers in two lists, made in `build`, which gets `ishape`."""

    def __init__(self, n_layers, **kwargs):
        super().__init__(**kwargs)
        self.n_layers = n_layers

    def build(self, ishape):
        self.encoder = []
        for i, lyr in enumerate(self.n_layers[1:]):
            en = Dense(lyr, name=f"encoder_{i + 1}")
            self.encoder.append(en)
        self.decoder = []
        for i, lyr in enumerate(list(reversed(self.n_layers))[1:]):
            de = Dense(lyr, name=f"decoder_{i + 1}")
            self.decoder.append(de)

    def call(self, X):
        _encoder = []
        _decoder = []
        h = X
        for lyr in self.encoder:
            h = lyr(h)
            _encoder.append(h)
        d = tf.cast(_encoder[-1], dtype=tf.float32)
        for lyr in self.decoder:
            d = lyr(d)
            _decoder.append(d)
        return _encoder, _decoder


class GraphAdjacent(Layer):
    """A dense layer by a tensor of neighbours that the layer gets."""

    def __init__(self, units, adj, active=True, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.active = active
        self.dense = Dense(units)
        self.adj = adj

    def call(self, inputs):
        X = inputs
        res = tf.matmul(self.adj, self.dense(X))
        if self.active:
            return tf.nn.leaky_relu(res, 0.2)
        return tf.nn.softmax(res, axis=-1)


class GraphHeterogeneous(Layer):
    """Weights of two views of the same nodes."""

    def __init__(self, units, adj, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.gcn = GraphAdjacent(self.units, adj)
        self.dense = Dense(2)

    def call(self, inputs):
        z, h = inputs
        zh = tf.concat([z, h], -1)
        mi = self.dense(zh)
        mi = tf.nn.leaky_relu(mi, 0.2)
        mi = tf.nn.softmax(mi, axis=-1)
        mi = tf.math.l2_normalize(mi, axis=-1)
        mi1 = tf.reshape(mi[:, 0], (mi.shape[0], 1))
        mi2 = tf.reshape(mi[:, 1], (mi.shape[0], 1))
        weighted_Z = mi1 * z
        weighted_H = mi2 * h
        return self.gcn(weighted_Z + weighted_H)


class GraphScales(Layer):
    """Weights of all views of the same nodes."""

    def __init__(self, lyr, units, adj, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = Dense(lyr)
        self.gcn = GraphAdjacent(self.units, adj, active=False)

    def call(self, inputs):
        Z = inputs
        U = tf.concat(Z, -1)
        U = self.dense(U)
        U = tf.nn.leaky_relu(U, 0.2)
        U = tf.nn.softmax(U, axis=-1)
        U = tf.math.l2_normalize(U, axis=-1)
        wZ = []
        for i in range(len(Z)):
            ui = tf.reshape(U[:, i], (U.shape[0], 1))
            wZ.append(ui * Z[i])
        return self.gcn(tf.concat(wZ, -1))


class GraphClusters(keras.Model):
    """All of it, with a loss that the call adds, and `trainable` as an argument."""

    def __init__(
        self,
        out_dim,
        mu,
        n_layers,
        adj,
        lambda1=1000,
        lambda2=1000,
        alpha=1,
        enc=None,
        dec=None,
        trainable=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.n_layers = n_layers
        self.out_dim = out_dim
        self.alpha = alpha
        self.lambda1 = lambda1
        self.lambda2 = lambda2
        self.enc = enc
        self.dec = dec
        self.mu = mu
        self.agcns = GraphScales(len(n_layers) + 1, self.out_dim, adj, name="agcn_s")
        self.init_gcn = GraphAdjacent(self.n_layers[0], adj)
        self.AGCNH = []
        self.adj = adj
        self.trainable = trainable

    def build(self, ishape):
        for i, lyr in enumerate(self.n_layers[1:]):
            ly = GraphHeterogeneous(lyr, self.adj, name=f"agcn_h_{i + 1}")
            self.AGCNH.append(ly)
        self.ae = GraphCoder([ishape[-1]] + self.n_layers, name="auto_encoder")
        if self.enc is not None:
            self.ae.encoder = self.enc
            for i in range(len(self.ae.encoder)):
                self.ae.encoder[i].trainable = self.trainable
        if self.dec is not None:
            self.ae.decoder = self.dec
            for i in range(len(self.ae.decoder)):
                self.ae.decoder[i].trainable = self.trainable

    def kl_divergence(self, p, q):
        return tf.reduce_sum(p * tf.math.log(p / (q + 1e-8)), axis=1)

    def compute_q(self, features, centers):
        distances = tf.reduce_sum(tf.square(features - centers), axis=2)
        q = tf.pow(1.0 + distances / self.alpha, -(self.alpha + 1.0) / 2.0)
        return q / tf.reduce_sum(q, axis=1, keepdims=True)

    def compute_p(self, q):
        numerator = tf.square(q) / tf.reduce_sum(q, axis=0, keepdims=True)
        return numerator / tf.reduce_sum(numerator, axis=1, keepdims=True)

    def call(self, inputs):
        X = inputs
        _agcnh = []
        _encoder, _decoder = self.ae(X)
        z = self.init_gcn(X)
        _agcnh.append(z)
        for i, lyr in enumerate(self.AGCNH):
            h = _encoder[i]
            z = lyr((z, h))
            _agcnh.append(z)
        _agcnh.append(_encoder[-1])
        pred = self.agcns(_agcnh)
        hl = tf.expand_dims(_encoder[-1], axis=1)
        cl = tf.expand_dims(self.mu, axis=0)
        q = self.compute_q(hl, cl)
        p = self.compute_p(q)
        kl_loss = tf.reduce_mean(self.kl_divergence(p, q))
        ce_loss = tf.reduce_mean(self.kl_divergence(p, pred))
        re_loss = tf.reduce_mean(MSE(X, _decoder[-1]))
        loss = self.lambda1 * kl_loss + self.lambda2 * ce_loss + re_loss
        self.add_loss(loss)
        return pred


class PhotoPatches(Layer):
    """Patches in rows."""

    def __init__(self, patch_size):
        super().__init__()
        self.patch_size = patch_size

    def call(self, inputs):
        batch_size = tf.shape(inputs)[0]
        patches = tf.image.extract_patches(
            images=inputs,
            sizes=[1, self.patch_size, self.patch_size, 1],
            strides=[1, self.patch_size, self.patch_size, 1],
            rates=[1, 1, 1, 1],
            padding="VALID",
        )
        patch_dims = patches.shape[-1]
        return tf.reshape(patches, [batch_size, -1, patch_dims])


class PhotoEmbeddings(Layer):
    """Patches with places."""

    def __init__(self, num_patches, projection_dim):
        super().__init__()
        self.num_patches = num_patches
        self.projection = layers.Dense(projection_dim)
        self.positional_embedding = layers.Embedding(
            input_dim=num_patches, output_dim=projection_dim
        )

    def call(self, inputs):
        positions = tf.range(0, self.num_patches, delta=1)
        return self.projection(inputs) + self.positional_embedding(positions)


class PhotoMLP(Layer):
    """Two dense layers, the second is named `outputs`."""

    def __init__(self, units):
        super().__init__()
        self.layer1 = layers.Dense(units[0])
        self.gelu = layers.Activation(tf.nn.gelu)
        self.outputs = layers.Dense(units[1])

    def call(self, inputs):
        return self.outputs(self.gelu(self.layer1(inputs)))


class PhotoHead(keras.Model):
    """A model whose layer is named `outputs`."""

    def __init__(self, dropout_rate, num_classes=100):
        super().__init__()
        self.drop = layers.Dropout(dropout_rate)
        self.outputs = layers.Dense(num_classes)

    def call(self, inputs):
        x = self.drop(inputs)
        return self.outputs(x)


class PhotoBlock(keras.Model):
    """A block of a transformer as a model."""

    def __init__(self, dim, mlp_dim, attention_heads):
        super().__init__()
        self.ln1 = layers.LayerNormalization(epsilon=1e-5)
        self.attention_output = layers.MultiHeadAttention(
            num_heads=attention_heads, key_dim=dim, dropout=0.1
        )
        self.add1 = layers.Add()
        self.ln2 = layers.LayerNormalization(epsilon=1e-5)
        self.mlp = PhotoMLP(mlp_dim)
        self.add2 = layers.Add()

    def call(self, inputs):
        x1 = self.ln1(inputs)
        attention = self.attention_output(x1, x1)
        x2 = self.add1([attention, inputs])
        x3 = self.ln2(x2)
        x3 = self.mlp(x3)
        return self.add2([x3, x2])


class PhotoTransformer(keras.Model):
    """Blocks in a Sequential."""

    def __init__(self, dim, mlp_dim, attention_heads, depth):
        super().__init__()
        transformer_list = []
        for _ in range(depth):
            block = PhotoBlock(dim, mlp_dim, attention_heads)
            transformer_list.append(block)
        self.net = keras.Sequential(transformer_list)

    def call(self, inputs):
        return self.net(inputs)


class PhotoViT(keras.Model):
    """Photos in patches; its call asks a name of the module, not the argument."""

    def __init__(
        self,
        image_size,
        patch_size,
        num_classes,
        dim,
        depth,
        attention_heads,
        transformer_units,
        mlp_head_units,
        augment=False,
    ):
        super().__init__()
        self.image_size = image_size
        self.patch_size = patch_size
        self.num_classes = num_classes
        self.projection_dim = dim
        self.transformer_layers = depth
        self.attention_heads = attention_heads
        self.mlp_units = transformer_units
        self.augment = augment
        self.num_patches = (self.image_size // self.patch_size) ** 2
        self.patches = PhotoPatches(self.patch_size)
        self.patchreprs = PhotoEmbeddings(self.num_patches, self.projection_dim)
        self.transformer = PhotoTransformer(
            self.projection_dim, self.mlp_units, self.attention_heads, self.transformer_layers
        )
        self.linear_repr = keras.Sequential(
            [
                layers.LayerNormalization(epsilon=1e-5),
                layers.Flatten(),
                layers.Dropout(0.3),
            ]
        )
        self.mlp = PhotoMLP(mlp_head_units)
        self.classifier = PhotoHead(0.3)

    def call(self, input):
        if augment:
            x = self.aug(input)
            patches = self.patches(x)
        else:
            patches = self.patches(input)
        x = self.patchreprs(patches)
        x = self.transformer(x)
        x = self.linear_repr(x)
        x = self.mlp(x)
        return self.classifier(x)
