"""Work attributes go from one Tempo to another as far as the other one can hold them, and nothing is made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklogs.attributes import Attribute, AttributeMap, Carried, read_attributes

KIND = Attribute(
    "_Kind_", "Kind", "STATIC_LIST", values=("g1", "g2"), names=(("g1", "Development"), ("g2", "Travel"))
)
PLACE = Attribute("_Place_", "Place", "INPUT_FIELD")


def between(source, target, **markers):
    return AttributeMap((source,) if isinstance(source, Attribute) else source, (target,), **markers)


# Reading what a site has


def test_a_static_list_comes_with_its_values_and_their_labels():
    row = {
        "self": "https://api.tempo.io/4/work-attributes/_Kind_",
        "key": "_Kind_",
        "name": "Kind",
        "type": "STATIC_LIST",
        "required": True,
        "values": ["g1", "g2"],
        "names": {"g1": "Development", "g2": "Travel"},
    }
    (kind,) = read_attributes([row])
    assert kind == Attribute("_Kind_", "Kind", "STATIC_LIST", True, KIND.values, KIND.names)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"key": "_A_"}, Attribute("_A_", "_A_", "")),
        ({"key": "_A_", "name": None, "type": "checkbox"}, Attribute("_A_", "_A_", "CHECKBOX")),
        (
            {"key": "_A_", "name": "A", "type": "STATIC_LIST", "values": None, "names": {"g1": "One"}},
            Attribute("_A_", "A", "STATIC_LIST", values=("g1",), names=(("g1", "One"),)),
        ),
        (
            {"key": "_A_", "name": "A", "type": "STATIC_LIST", "values": ["g1", 2], "names": []},
            Attribute("_A_", "A", "STATIC_LIST", values=("g1", "2")),
        ),
    ],
)
def test_a_row_that_lacks_something_is_read_as_far_as_it_goes(row, expected):
    assert read_attributes([row]) == (expected,)


def test_rows_without_a_key_are_left_and_one_listed_twice_is_one():
    assert read_attributes([{}, {"name": "A"}, None, {"key": ""}]) == ()
    assert len(read_attributes([{"key": "_A_"}, {"key": "_A_"}])) == 1


# Which is which


@pytest.mark.parametrize(
    ("target", "key"),
    [
        (Attribute("_Place_", "Ort", "INPUT_FIELD"), "_Place_"),
        (Attribute("_Ort_", "Place", "INPUT_FIELD"), "_Ort_"),
        (Attribute("_Ort_", " pLACE ", "INPUT_FIELD"), "_Ort_"),
        (Attribute("_place_", "Ort", "INPUT_FIELD"), None),
        (Attribute("_Ort_", "Place of work", "INPUT_FIELD"), None),
        (Attribute("_Place_", "Place", "CHECKBOX"), None),
    ],
)
def test_an_attribute_is_known_by_its_key_then_by_its_name(target, key):
    assert between(PLACE, target).target_key("_Place_") == key
    expected = Carried(((key, "Berlin"),), ()) if key else Carried((), ("Place",))
    assert between(PLACE, target).carried([("_Place_", "Berlin")]) == expected


def test_the_key_counts_before_the_name():
    target = (Attribute("_1_", "Place", "INPUT_FIELD"), Attribute("_Place_", "Other", "INPUT_FIELD"))
    assert AttributeMap((PLACE,), target).target_key("_Place_") == "_Place_"


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (("Place",), ("Place", "place")),
        (("Place", "PLACE"), ("Place",)),
    ],
)
def test_a_name_that_several_have_names_none(source, target):
    ours = [Attribute(f"_s{n}_", name, "INPUT_FIELD") for n, name in enumerate(source)]
    theirs = [Attribute(f"_t{n}_", name, "INPUT_FIELD") for n, name in enumerate(target)]
    assert AttributeMap(ours, theirs).target_key("_s0_") is None


def test_no_two_attributes_are_carried_into_one():
    """The target's Place is taken by its key; who only shares its name has no place there."""
    source = (PLACE, Attribute("_Ort_", "Ort", "INPUT_FIELD"))
    target = (Attribute("_Place_", "Ort", "INPUT_FIELD"),)
    carried = AttributeMap(source, target).carried([("_Ort_", "Bonn"), ("_Place_", "Berlin")])
    assert carried == Carried((("_Place_", "Berlin"),), ("Ort",))


def test_an_attribute_the_source_no_longer_lists_is_known_by_its_key_alone():
    assert AttributeMap((), (KIND,)).carried([("_Kind_", "g1")]) == Carried((("_Kind_", "g1"),), ())
    assert AttributeMap((), (KIND,)).carried([("_Kind_", "g9")]) == Carried((), ("_Kind_",))
    assert AttributeMap((), ()).carried([("_Old_", "x")]) == Carried((), ("_Old_",))


def test_markers_of_either_side_are_never_carried_nor_counted():
    ours = Attribute("_Twinlog_", "Twinlog", "INPUT_FIELD", required=True)
    mapped = AttributeMap((ours,), (ours,), "_Twinlog_", "_Twinlog_")
    assert mapped.carried([("_Twinlog_", "e1")]) == Carried((), ())
    assert mapped.target_key("_Twinlog_") is None
    assert mapped.missing([]) == ()


def test_somebody_s_own_attribute_is_not_carried_into_the_target_s_marker():
    ours = Attribute("_Ref_", "Reference", "INPUT_FIELD")
    for theirs in (ours, Attribute("_Marker_", "Reference", "INPUT_FIELD")):
        mapped = AttributeMap((ours,), (theirs,), "", theirs.key)
        assert mapped.carried([("_Ref_", "7")]) == Carried((), ("Reference",))
        assert mapped.target_key("_Ref_") is None


# What can be held


@pytest.mark.parametrize(
    ("source", "target", "value", "there"),
    [
        ("INPUT_FIELD", "INPUT_FIELD", " any\ttext ", " any\ttext "),
        ("INPUT_NUMERIC", "INPUT_FIELD", "12.50", "12.50"),
        ("INPUT_NUMERIC", "INPUT_NUMERIC", "12.50", "12.50"),
        ("INPUT_FIELD", "INPUT_NUMERIC", " -3.5 ", "-3.5"),
        ("INPUT_FIELD", "INPUT_NUMERIC", "0", "0"),
        ("INPUT_FIELD", "INPUT_NUMERIC", "3,5", None),
        ("INPUT_FIELD", "INPUT_NUMERIC", "nan", None),
        ("INPUT_FIELD", "INPUT_NUMERIC", "three", None),
        ("INPUT_FIELD", "INPUT_NUMERIC", "٣", None),
        ("CHECKBOX", "CHECKBOX", "true", "true"),
        ("CHECKBOX", "CHECKBOX", "False", "false"),
        ("CHECKBOX", "CHECKBOX", "yes", None),
        ("INPUT_FIELD", "CHECKBOX", "true", None),
        ("CHECKBOX", "INPUT_FIELD", "true", None),
        ("ACCOUNT", "ACCOUNT", "INTERNAL", "INTERNAL"),
        ("ACCOUNT", "INPUT_FIELD", "INTERNAL", None),
        ("INPUT_FIELD", "ACCOUNT", "INTERNAL", None),
        ("INPUT_FIELD", "STATIC_LIST", "g1", None),
        ("STATIC_LIST", "INPUT_FIELD", "g1", None),
        ("DYNAMIC_DROPDOWN", "DYNAMIC_DROPDOWN", "anything", "anything"),
        ("STATIC_LIST", "DYNAMIC_DROPDOWN", "g1", None),
        ("STATIC_LIST", "STATIC_LIST", "g1", None),
        ("SOMETHING_NEW", "SOMETHING_NEW", "x", "x"),
        ("SOMETHING_NEW", "INPUT_FIELD", "x", None),
    ],
)
def test_a_value_is_carried_where_the_other_type_can_hold_it(source, target, value, there):
    mapped = between(Attribute("_A_", "A", source), Attribute("_A_", "A", target))
    assert mapped.carried([("_A_", value)]) == (
        Carried((), ("A",)) if there is None else Carried((("_A_", there),), ())
    )


@pytest.mark.parametrize(
    ("values", "names", "there"),
    [
        (("g1", "g2"), (("g1", "Anything"),), "g1"),
        (("x1", "x2"), (("x1", "Travel"), ("x2", " development")), "x2"),
        (("x1", "DEVELOPMENT"), (), "DEVELOPMENT"),
        (("x1", "x2"), (("x1", "Development"), ("x2", "development")), None),
        (("x1",), (("x1", "Travel"),), None),
        ((), (("g1", "Development"),), None),
        (("g2",), (("g2", "Development"),), "g2"),
    ],
)
@pytest.mark.parametrize("kind", ["STATIC_LIST", "DYNAMIC_DROPDOWN"])
def test_of_a_list_the_same_value_counts_then_the_same_label(kind, values, names, there):
    target = Attribute("_Kind_", "Kind", kind, values=values, names=names)
    carried = between(KIND, target).carried([("_Kind_", "g1")])
    assert carried == (Carried((("_Kind_", there),), ()) if there else Carried((), ("Kind",)))


def test_an_empty_value_is_none():
    assert between(PLACE, PLACE).carried([("_Place_", "")]) == Carried((), ())


# What the target requires


def test_required_attributes_without_a_value_are_named():
    target = (
        Attribute("_Kind_", "Kind", "STATIC_LIST", True),
        Attribute("_Place_", "Place", "INPUT_FIELD", True),
        Attribute("_Note_", "Note", "INPUT_FIELD"),
    )
    mapped = AttributeMap((), target)
    assert mapped.missing([]) == ("Kind", "Place")
    assert mapped.missing([("_Kind_", "g1"), ("_Place_", "")]) == ("Place",)
    assert mapped.missing([("_Kind_", "g1"), ("_Place_", "Bonn")]) == ()


# Laws

TYPES = ["INPUT_FIELD", "INPUT_NUMERIC", "CHECKBOX", "ACCOUNT", "STATIC_LIST", "DYNAMIC_DROPDOWN"]
short = st.text("abAB1", min_size=1, max_size=3)


@st.composite
def attributes(draw):
    keys = draw(st.lists(short, unique=True, max_size=5))
    return tuple(
        Attribute(
            key,
            draw(short),
            kind := draw(st.sampled_from(TYPES)),
            draw(st.booleans()),
            values := tuple(draw(st.lists(short, unique=True, max_size=4))) if kind == "STATIC_LIST" else (),
            tuple((value, draw(short)) for value in values),
        )
        for key in keys
    )


def value_of(attribute):
    if attribute.type == "STATIC_LIST":
        return st.sampled_from(attribute.values)
    ordinary = {"INPUT_NUMERIC": st.integers().map(str), "CHECKBOX": st.sampled_from(["true", "false"])}
    return ordinary.get(attribute.type, st.text(min_size=1, max_size=5))


@st.composite
def attributes_with_values(draw):
    known = draw(attributes())
    filled = [each for each in known if (each.values or each.type != "STATIC_LIST") and draw(st.booleans())]
    return known, tuple((each.key, draw(value_of(each))) for each in filled)


@given(attributes_with_values())
def test_between_two_sites_that_are_alike_everything_stays_as_it_is(site):
    known, values = site
    there = AttributeMap(known, known).carried(values)
    assert there == Carried(values, ())
    assert AttributeMap(known, known).carried(there.values) == there


@given(attributes_with_values(), attributes())
def test_nothing_is_carried_that_the_other_side_does_not_have(site, target):
    known, values = site
    mapped = AttributeMap(known, target)
    carried = mapped.carried(values)
    there = {each.key: each for each in target}
    assert len(carried.values) + len(carried.left_out) == len(values)
    assert len(dict(carried.values)) == len(carried.values)
    assert {key for key, _ in carried.values} <= {mapped.target_key(key) for key, _ in values}
    for key, value in carried.values:
        assert there[key].type != "STATIC_LIST" or value in there[key].values


@given(attributes(), attributes())
def test_what_is_which_is_the_same_seen_from_either_side(left, right):
    there, back = AttributeMap(left, right), AttributeMap(right, left)
    for each in left:
        key = there.target_key(each.key)
        assert key is None or back.target_key(key) == each.key
