"""Five kinds of flowers: 3,670 photographs, fetched once.

Imports, of this package, fetch, folder, home and task only.
"""

from dataclasses import replace
from typing import Any

from ontogeny.progress import Progress
from ontogeny.tasks.fetch import Archive, fetch
from ontogeny.tasks.folder import read_folder
from ontogeny.tasks.home import data_homes, found_at_home
from ontogeny.tasks.task import Task

FLOWERS = Archive(
    url="http://download.tensorflow.org/example_images/flower_photos.tgz",
    sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
    folder="flower_photos",
)
FLOWERS_LICENCE = "CC BY 2.0"
FLOWERS_CREDIT = (
    "TensorFlow's flower_photos collection; each file name begins with the photograph's Flickr "
    "id, the key to its author; LICENSE.txt in the original archive names every photographer"
)


def flowers(*, progress: Progress | None = None, **options: Any) -> Task:
    """Return the task of 3,670 photographs of five kinds of flower.

    Daisy 633, dandelion 898, roses 641, sunflowers 699, tulips 799. Three pairs are exact
    duplicates, one of them across roses and tulips; none straddles splits.

    They are looked up in $ONTOGENY_DATA (`flowers/TOKEN/*.jpg` or `flower_photos/TOKEN/*.jpg`),
    then in the user's cache folder, both without any network; else they are fetched once
    (229 MB, checked by SHA-256) into $ONTOGENY_DATA or, where that is not set, the cache folder.

    Licence: every photograph is under CC BY 2.0. Credit: TensorFlow's flower_photos collection;
    each file name (`Task.exemplars`) begins with the photograph's Flickr id, the key to its
    author, and LICENSE.txt in the archive names every photographer.

    Parameters
    ----------
    progress
        Called with ("bytes" or "images", done, total).
    **options
        Those of `ontogeny.tasks.folder.read_folder`.

    Raises
    ------
    InputError
        They can neither be found nor fetched, or a token has fewer exemplars than asked.
    """
    found = found_at_home("flowers", FLOWERS.folder)
    root = found or fetch(FLOWERS, data_homes()[0], progress=progress)
    task = read_folder(root, **options, progress=progress)
    about = {"source": "flowers", "licence": FLOWERS_LICENCE, "credit": FLOWERS_CREDIT}
    return replace(task, name="flowers", origin={**task.origin, **about})
