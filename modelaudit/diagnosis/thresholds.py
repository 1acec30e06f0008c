"""Where the lines are drawn.

Every value was chosen on small networks of known condition (trained with and without mirrored
images, with single faults injected) and then held against networks trained afterwards; the
comment says what healthy and faulty models measured there. They are decisions about effect sizes,
not significance levels: each is reported beside the measured value.
"""

from __future__ import annotations

from modelaudit.measures.behaviour import collapse, orientation
from modelaudit.measures.kernels import batchnorm

# What tells that another orientation or scale is understood better; the reasons stand there.
INFORMED, GAIN = orientation.INFORMED, orientation.GAIN
INFORMED_PEAK, PEAK = orientation.INFORMED_PEAK, orientation.PEAK
TIED = orientation.TIED
# Share of log2(K) below which an output says too little to be a working classifier.
UNINFORMED = 0.50
# NFV below which a flip changes nothing but rounding. Exact networks: 1e-13 and less.
EXACT = 1e-6
# Share of saturated outputs from which equal outputs prove nothing about the scores behind them.
SATURATED = 0.5
# NFV below which training has made the output flip-invariant. Mirror-trained: 0.014 to 0.046.
LEARNED = 0.06
# NFV from which an output is plainly orientation-sensitive; between the two, labels decide.
SENSITIVE = 0.20
# Loss of accuracy under a flip that still counts as invariant in the grey zone.
ACCURACY_LOSS = 0.03
# NFV_H / NFV_V that tells mirror training from none in the grey zone without labels.
MIRROR_RATIO = 0.25
# Cohen's kappa that must go with learned invariance, and with that told by the ratio above (an
# untrained three-class net reached 0.87 beside a ratio of 0.07).
KAPPA, KAPPA_MIRROR = 0.80, 0.90
# Misfit of BatchNorm statistics; the reasons stand there.
MISFIT, MISFIT_ALIKE = batchnorm.MISFIT, batchnorm.MISFIT_ALIKE
# Misfit of the first BatchNorm that does not fit, on the way from its start. Two networks of one
# task after 3 to 250 steps with momentum 0.99, 3 to 30 with 0.9: 0.0001 to 0.027; behind foreign
# kernels 0.22 to 1.2, on another scale 0.43 to 2.1.
SETTLING = 0.10
# Mean deviation at the first BatchNorm that only a wrong input scale brings about, and the one
# that the right scale must bring back.
MISFIT_DOMAIN, FIT_DOMAIN = batchnorm.MISFIT_SCALE, 0.10
# The deviation that shows a wrong scale where the output has no classes to agree (x255: over 100).
MISFIT_DOMAIN_ALONE = 3.0
# Median lead of the best class, in nats, that training with cross-entropy leaves to no network,
# and the lead that the right scale must bring it back to. Networks without normalisation, trained
# on values of 0 to 1 and of 0 to 255: 0.1 to 41; fed 255 times as much: 23 to 10,000.
MARGIN, MARGIN_TRAINED = 80.0, 45.0
# Share of log2(K) under which an output says little about unlabelled inputs. Layers of another
# model or in another order leave 0.02 to 0.23; a wrong orientation 0.32 and more.
LITTLE = 0.30
# Misfit up to which statistics speak for sound weights even then (healthy on 12 images: 0.19).
SOUND_FIT = 0.20
# Accuracy or R2 that labels must show in another orientation or scale, and by how much more.
RIGHT_ACCURACY, ACCURACY_GAIN = 0.80, 0.10
RIGHT_FIT, FIT_GAIN = 0.50, 0.20
# Gain under which labels do not confirm what the information says.
SAME_SCORE = 0.02
# Share of one label from which images count as being of one class.
ONE_CLASS = collapse.DIVERSE
# Share of one class, and bias excess in logit spreads, that mark a head biased to it.
TOP_SHARE, BIAS_EXCESS = collapse.MIN_TOP_SHARE, collapse.MIN_BIAS_EXCESS
# Part of the measured NFV that the architecture alone must explain to be named as its cause.
FLOOR_SHARE = 0.50
# Images from which orientation statements hold.
ENOUGH_IMAGES = orientation.MIN_INPUTS
