"""Folders of photographs: every format and mode, geometry, and what is refused."""

import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ontogeny.errors import InputError
from ontogeny.tasks.folder import check_size, read_folder, read_image, read_images, token_folders
from photographs import folder_of, photograph, photographs

RNG = np.random.default_rng(0)


def flat(path, mode, value, size=(9, 7), **options):
    Image.new(mode, size, value).save(path, **options)
    return path


def only_value(path, size=(4, 4)):
    image = read_image(path, size, "crop")
    values = np.unique(image.reshape(size[0] * size[1], -1), axis=0)
    assert len(values) == 1, values
    return values[0].tolist()


def test_a_folder_becomes_a_task(tmp_path):
    root = folder_of(tmp_path / "trees", n=10)
    task = read_folder(root, size=8, density=5, probe=3)
    assert task.name == "trees"
    assert task.tokens == ("ash", "elm")
    assert task.images.shape == (20, 8, 8, 3)
    assert task.density == {"ash": 5, "elm": 5}
    assert len(task.probe) == 6
    assert task.exemplars[:2] == ("ash/0.png", "ash/1.png")
    assert task.exemplars[-1] == "elm/9.png"
    assert task.origin == {
        "source": "folder",
        "path": str(root),
        "fit": "crop",
        "mirrors": True,
        "size": [8, 8],
        "density": 5,
        "probe": 3,
        "seed": 0,
        "tokens": {"ash": 10, "elm": 10},
    }


def test_reading_twice_gives_the_same_task(tmp_path):
    root = folder_of(tmp_path, suffix="jpg")
    assert read_folder(root).hash == read_folder(root).hash
    assert read_folder(root).hash != read_folder(root, seed=1).hash


def test_exemplars_stay_with_their_names(tmp_path):
    root = folder_of(tmp_path)
    task = read_folder(root, size=10)
    for image, name in zip(task.images, task.exemplars, strict=True):
        np.testing.assert_array_equal(image, read_image(root / name, (10, 10), "crop"))


def test_tokens_are_selected_in_the_order_asked(tmp_path):
    root = folder_of(tmp_path, tokens=("ash", "elm", "oak"))
    (root / "yew").mkdir()  # empty, but not asked for
    task = read_folder(root, tokens=["oak", "ash"])
    assert task.tokens == ("oak", "ash")
    assert task.exemplars[0] == "oak/0.png"
    assert read_folder(root, tokens=2).tokens == ("ash", "elm")


def test_hidden_files_clutter_and_a_licence_are_left_alone(tmp_path):
    root = folder_of(tmp_path)
    for name in ("LICENSE.txt", "ash/.DS_Store", "ash/Thumbs.db", "elm/desktop.ini", ".git"):
        (root / name).write_text("no image")
    (root / ".cache").mkdir()
    assert len(read_folder(root).images) == 12


def test_duplicates_are_one_group(tmp_path):
    root = folder_of(tmp_path, n=10)
    (root / "elm" / "copy.png").write_bytes((root / "ash" / "3.png").read_bytes())
    task = read_folder(root)
    first, second = task.exemplars.index("ash/3.png"), task.exemplars.index("elm/copy.png")
    assert task.group[first] == task.group[second]
    assert len(set(task.group)) == 20


def test_progress_counts_every_image(tmp_path):
    seen = []
    read_folder(folder_of(tmp_path), progress=lambda *state: seen.append(state))
    assert seen == [("images", done, 12) for done in range(1, 13)]


def test_size_may_be_height_and_width(tmp_path):
    assert read_folder(folder_of(tmp_path), size=(6, 9)).size == (6, 9)


@pytest.mark.parametrize("size", [0, -3, (3,), (3, 4, 5), (8, 0), (8.0, 8.0)])
def test_sizes_that_are_none(size):
    with pytest.raises(InputError, match=r"expected size in pixels, .*: give 32, say"):
        check_size(size)


# --- modes and formats -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "value", "name", "expected"),
    [
        ("1", 1, "x.png", [255]),
        ("L", 77, "x.png", [77]),
        ("L", 77, "x.bmp", [77]),
        ("LA", (200, 0), "x.png", [128]),
        ("LA", (200, 255), "x.png", [200]),
        ("I;16", 40 * 257, "x.png", [40]),
        ("I;16", 40 * 257 + 129, "x.tif", [41]),
        ("I", 65535, "x.tif", [255]),
        ("RGB", (10, 20, 30), "x.png", [10, 20, 30]),
        ("RGB", (10, 20, 30), "x.webp", [10, 20, 30]),
        ("RGB", (10, 20, 30), "x.ppm", [10, 20, 30]),
        ("RGBA", (10, 20, 30, 255), "x.png", [10, 20, 30]),
        ("RGBA", (10, 20, 30, 0), "x.png", [128, 128, 128]),
        ("RGBA", (0, 255, 128, 128), "x.png", [64, 192, 128]),
        ("CMYK", (0, 255, 255, 0), "x.tif", [255, 0, 0]),
        ("P", 0, "x.gif", [0, 0, 0]),
    ],
)
def test_every_mode_is_read(tmp_path, mode, value, name, expected):
    options = {"lossless": True} if name.endswith("webp") else {}
    np.testing.assert_allclose(only_value(flat(tmp_path / name, mode, value, **options)), expected)


def test_a_palette_with_a_transparent_entry_is_composited(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((0, 0), 1)
    image.save(tmp_path / "x.png", transparency=0)
    pixels = read_image(tmp_path / "x.png", (8, 8), "crop")
    assert pixels[4, 4].tolist() == [128, 128, 128]
    assert pixels[0, 0].tolist() == [0, 0, 255]


def test_a_transparent_colour_is_composited(tmp_path):
    flat(tmp_path / "x.png", "RGB", (1, 2, 3), transparency=(1, 2, 3))
    assert only_value(tmp_path / "x.png") == [128, 128, 128]


def test_the_first_frame_is_taken(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert only_value(tmp_path / "x.gif") == [255, 0, 0]


def test_a_cmyk_jpeg_is_read(tmp_path):
    value = only_value(flat(tmp_path / "x.jpg", "CMYK", (0, 255, 255, 0), (64, 64)))
    np.testing.assert_allclose(value, [255, 0, 0], atol=4)  # lossy


def test_one_channel_only_if_all_are_grey(tmp_path):
    root = folder_of(tmp_path, mode="L")
    assert read_folder(root).channels == 1
    photograph(root / "elm" / "colour.png")
    mixed = read_folder(root, size=10)
    assert mixed.channels == 3
    grey = mixed.images[0]
    assert (grey == grey[..., :1]).all()
    np.testing.assert_array_equal(grey[..., 0], read_image(root / "ash/0.png", (10, 10), "crop"))


def test_floats_and_32_bit_integers_are_refused(tmp_path):
    flat(tmp_path / "float.tif", "F", 0.5)
    flat(tmp_path / "int.tif", "I", 70000)
    files = [tmp_path / "float.tif", tmp_path / "int.tif"]
    with pytest.raises(InputError, match=r"float\.tif: .* 32-bit floats; .* 32-bit integers; save"):
        read_images(files, (8, 8), "crop")


# --- geometry --------------------------------------------------------------------------------


def bands(size, across):
    """Thirds in red, green and blue, along x (across) or y."""
    width, height = size
    place = np.arange(width) * 3 // width if across else np.arange(height) * 3 // height
    colours = 255 * np.eye(3, dtype=np.uint8)[place]
    pixels = colours[None, :] if across else colours[:, None]
    return Image.fromarray(np.broadcast_to(pixels, (height, width, 3)).copy())


@pytest.mark.parametrize("across", [True, False])
def test_crop_takes_the_centre(tmp_path, across):
    bands((90, 30) if across else (30, 90), across).save(tmp_path / "x.png")
    inner = read_image(tmp_path / "x.png", (6, 6), "crop")[1:-1, 1:-1]
    np.testing.assert_allclose(inner - np.array([0, 255, 0]), 0, atol=1)  # the filter rings


@pytest.mark.parametrize("across", [True, False])
def test_pad_keeps_the_whole_on_mid_grey(tmp_path, across):
    bands((90, 30) if across else (30, 90), across).save(tmp_path / "x.png")
    pixels = read_image(tmp_path / "x.png", (9, 9), "pad")
    pixels = pixels if across else pixels.transpose(1, 0, 2)
    assert (pixels[:3] == 128).all()
    assert (pixels[6:] == 128).all()
    np.testing.assert_allclose(pixels[4, [0, 4, 8]], 255 * np.eye(3), atol=1)  # the filter rings


def test_pad_of_grey_is_mid_grey(tmp_path):
    flat(tmp_path / "x.png", "L", 7, size=(9, 3))
    assert (
        read_image(tmp_path / "x.png", (9, 9), "pad")[:, 0].tolist()
        == [128] * 3 + [7] * 3 + [128] * 3
    )


def test_crop_to_another_shape_than_square(tmp_path):
    bands((90, 30), across=True).save(tmp_path / "x.png")
    pixels = read_image(tmp_path / "x.png", (3, 9), "crop")
    np.testing.assert_allclose(pixels[1, [1, 4, 7]], 255 * np.eye(3), atol=1)  # the filter rings


def test_resizing_is_antialiased(tmp_path):
    fine = 255 * (np.indices((64, 64)).sum(axis=0) % 2).astype(np.uint8)
    Image.fromarray(fine).save(tmp_path / "x.png")
    inner = read_image(tmp_path / "x.png", (8, 8), "crop")[1:-1, 1:-1]
    np.testing.assert_allclose(inner, 127.5, atol=2)  # rounding to whole values


def test_small_images_are_enlarged(tmp_path):
    assert only_value(flat(tmp_path / "x.png", "RGB", (9, 8, 7), size=(2, 3)), (16, 16)) == [
        9,
        8,
        7,
    ]


TURNS = {  # EXIF orientation -> how the stored pixels were made from the upright ones
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_images_are_turned_upright(tmp_path, orientation, suffix):
    upright = np.kron(RNG.integers(0, 2, (2, 3, 3)) * 255, np.ones((60, 60, 1))).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(TURNS[orientation](upright)))
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    stored.save(tmp_path / f"x.{suffix}", exif=exif, **options)
    pixels = read_image(tmp_path / f"x.{suffix}", (8, 12), "crop")
    inner = [[y, x] for y in (1, 5) for x in (1, 6, 10)]
    expected = [upright[y * 15, x * 15].tolist() for y, x in inner]
    np.testing.assert_allclose(
        [pixels[y, x] for y, x in inner], expected, atol=25
    )  # lossy, Lanczos


def test_decoding_small_changes_little(tmp_path, monkeypatch):
    """Smooth pictures decoded at a fraction of their size are those decoded whole."""
    coarse = Image.fromarray(RNG.integers(0, 256, (16, 22, 3), dtype=np.uint8))
    coarse.resize((220, 160), Image.Resampling.BICUBIC).save(tmp_path / "x.jpg", quality=95)
    drafted = read_image(tmp_path / "x.jpg", (32, 32), "crop")
    monkeypatch.setattr(Image.Image, "draft", lambda *_: None)
    monkeypatch.setattr("PIL.JpegImagePlugin.JpegImageFile.draft", lambda *_: None)
    whole = read_image(tmp_path / "x.jpg", (32, 32), "crop")
    assert np.abs(drafted.astype(int) - whole).mean() < 2  # of 255; the codec scales by itself


# --- what is refused -------------------------------------------------------------------------


def test_unreadable_and_truncated_images_are_all_named(tmp_path):
    root = folder_of(tmp_path, suffix="jpg", size=(200, 200))
    whole = (root / "ash" / "1.jpg").read_bytes()
    (root / "ash" / "1.jpg").write_bytes(whole[: len(whole) // 2])
    (root / "elm" / "notes.txt").write_text("not an image")
    (root / "elm" / "5.jpg").write_bytes(b"")
    with pytest.raises(InputError) as caught:
        read_folder(root)
    message = str(caught.value)
    assert message.startswith("expected readable images, got 3 of 13 that are not")
    assert "ash/1.jpg: image file is truncated" in message
    assert "elm/5.jpg: no image in a format that Pillow reads" in message
    assert "elm/notes.txt: no image in a format that Pillow reads" in message
    assert message.endswith("repair them, or move them out of the token's folder")


def test_a_truncated_png_is_refused(tmp_path):
    path = photograph(tmp_path / "x.png", size=(100, 100))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"got 1 of 1 .*x\.png"):
        read_images([path], (8, 8), "crop")


def test_many_unreadable_images_are_counted(tmp_path):
    files = [tmp_path / f"{i}.png" for i in range(9)]
    for file in files:
        file.write_text("no image")
    with pytest.raises(InputError, match=r"got 9 of 9 .*0\.png.*4\.png.*; and 4 more\)"):
        read_images(files, (8, 8), "crop")


def test_a_gigantic_image_is_refused(tmp_path, monkeypatch):
    path = photograph(tmp_path / "x.png", size=(100, 100))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match="exceeds limit"):
        read_images([path], (8, 8), "crop")


def test_an_interrupt_is_not_taken_for_a_bad_image(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("ontogeny.tasks.folder.read_image", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read_images([tmp_path / "x.png"], (8, 8), "crop")
    assert threading.active_count() < 20


def test_folders_that_are_laid_out_otherwise(tmp_path):
    with pytest.raises(InputError, match=r"folder that can be read at .*none, got 'No such file"):
        token_folders(tmp_path / "none")
    photograph(tmp_path / "file.png")
    with pytest.raises(InputError, match=r"got images beside them \(file\.png\): move each into"):
        token_folders(tmp_path)
    (tmp_path / "file.png").rename(tmp_path / "file.txt")
    with pytest.raises(InputError, match=r"sub-folder per token in .*, got none: make a folder"):
        token_folders(tmp_path)
    with pytest.raises(InputError, match="got 'Not a directory'"):
        token_folders(tmp_path / "file.txt")


def test_one_token_is_too_few(tmp_path):
    with pytest.raises(InputError, match=r"at least two tokens to classify, got 1 \(ash\)"):
        read_folder(folder_of(tmp_path, tokens=("ash",)))


def test_an_empty_token_is_told(tmp_path):
    root = folder_of(tmp_path)
    (root / "oak").mkdir()
    (root / "oak" / ".hidden").write_text("")
    with pytest.raises(InputError, match=r"expected images in .*oak, got none: add exemplars or"):
        read_folder(root)


def test_folders_within_tokens_are_told(tmp_path):
    folder_of(tmp_path / "trees")
    folder_of(tmp_path / "shrubs")
    with pytest.raises(
        InputError, match=r"only in .*shrubs, got folders \(ash, elm\): name the fol"
    ):
        read_folder(tmp_path)


def test_too_few_exemplars_are_listed(tmp_path):
    with pytest.raises(InputError, match=r"at least 10 exemplars .* got ash 6, elm 6: ask for"):
        read_folder(folder_of(tmp_path), density=9, probe=1)


def test_a_folder_that_may_not_be_listed(tmp_path, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match="got 'Permission denied': check the path and its perm"):
        token_folders(tmp_path)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    path = photograph(tmp_path / "ash" / "x.png")
    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(InputError, match=r"ash/x\.png: Permission denied"):
        read_images([path], (8, 8), "crop")


def test_an_unknown_fit_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected fit to be crop or pad, got 'stretch'"):
        read_folder(folder_of(tmp_path), fit="stretch")  # pyright: ignore


@photographs
def test_the_real_photographs():
    task = read_folder(Path(os.environ["ONTOGENY_DATA"]) / "flowers", density=500)
    assert task.tokens == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert np.bincount(task.token).tolist() == [633, 898, 641, 699, 799]
    assert np.bincount(task.split).tolist() == [2500, 500, 670]
    _, sizes = np.unique(task.group, return_counts=True)
    assert (sizes > 1).sum() == 3
