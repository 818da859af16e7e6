"""The skeleton's pose: arms by their wrists, hands by their palms, and the skin that follows."""

from dataclasses import dataclass, field

import numpy as np

from training.photographs.body import joint_places, rig


def rotation_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The shortest rotation that turns direction a to direction b."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis, cosine = np.cross(a, b), float(a @ b)
    if cosine < -0.9999:
        other = np.cross(a, [1.0, 0, 0] if abs(a[0]) < 0.8 else [0, 1.0, 0])
        return about(other, np.pi)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + skew + skew @ skew / (1 + cosine)


def about(axis: np.ndarray, angle: float) -> np.ndarray:
    axis = axis / np.linalg.norm(axis)
    skew = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew)


def frame(forward: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Columns: forward, the normal made square to it, and their cross product."""
    forward = forward / np.linalg.norm(forward)
    normal = normal - (normal @ forward) * forward
    normal = normal / np.linalg.norm(normal)
    return np.stack([forward, normal, np.cross(forward, normal)], 1)


@dataclass
class Skeleton:
    """Global rotation and place of each bone; bones that were not posed follow their parents."""

    heads: np.ndarray
    tails: np.ndarray
    local: dict[int, np.ndarray] = field(default_factory=dict)
    shift: np.ndarray = field(default_factory=lambda: np.zeros(3))

    @classmethod
    def of(cls, vertices: np.ndarray) -> "Skeleton":
        return cls(*joint_places(vertices))

    def turn(self, name: str, rotation: np.ndarray) -> None:
        """Rotate a bone, in the axes of the rest pose, on top of what its parent does."""
        index = rig().index(name)
        self.local[index] = rotation @ self.local.get(index, np.eye(3))

    def matrices(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (B, 3, 3) and offset (B, 3) of each bone: posed = rotation @ rest + offset."""
        parents = rig().parents
        rotations, offsets = np.empty((len(parents), 3, 3)), np.empty((len(parents), 3))
        for index, parent in enumerate(parents):
            above = (np.eye(3), self.shift) if parent < 0 else (rotations[parent], offsets[parent])
            own = self.local.get(index)
            if own is None:
                rotations[index], offsets[index] = above
            else:
                rotations[index] = above[0] @ own
                pivot = above[0] @ self.heads[index] + above[1]
                offsets[index] = pivot - rotations[index] @ self.heads[index]
        return rotations, offsets

    def head(self, name: str) -> np.ndarray:
        """Where a bone begins, posed."""
        rotations, offsets = self.matrices()
        index = rig().index(name)
        return np.asarray(rotations[index] @ self.heads[index] + offsets[index])

    def rotation(self, name: str) -> np.ndarray:
        return np.asarray(self.matrices()[0][rig().index(name)])

    def rest(self, name: str) -> np.ndarray:
        return np.asarray(self.heads[rig().index(name)])

    def reach(self, side: str, wrist: np.ndarray, elbow: np.ndarray) -> None:
        """Put the wrist at a place; of all places that its elbow could take, the one towards `elbow`."""
        shoulder = self.head(f"upperarm01.{side}")
        upper = float(np.linalg.norm(self.rest(f"lowerarm01.{side}") - self.rest(f"upperarm01.{side}")))
        lower = float(np.linalg.norm(self.rest(f"wrist.{side}") - self.rest(f"lowerarm01.{side}")))
        line = wrist - shoulder
        distance = float(np.clip(np.linalg.norm(line), abs(upper - lower) + 0.03, 0.985 * (upper + lower)))
        line = line / np.linalg.norm(line)
        side_way = elbow - shoulder
        side_way = side_way - (side_way @ line) * line
        side_way /= np.linalg.norm(side_way) + 1e-9
        along = (upper**2 + distance**2 - lower**2) / (2 * distance)
        out = np.sqrt(max(upper**2 - along**2, 0))
        bend = shoulder + along * line + out * side_way
        end = shoulder + distance * line
        above = self.rotation(f"shoulder01.{side}")
        rest = self.rest(f"lowerarm01.{side}") - self.rest(f"upperarm01.{side}")
        self.turn(f"upperarm01.{side}", rotation_between(rest, above.T @ (bend - shoulder)))
        # The upper arm is turned about its axis so that the elbow bends where an elbow can.
        above = self.rotation(f"upperarm01.{side}")
        rest_low = self.rest(f"wrist.{side}") - self.rest(f"lowerarm01.{side}")
        axis = bend - shoulder
        now = above @ rest_low
        wanted = end - bend
        angle = _angle_about(axis, now, wanted)
        if np.linalg.norm(np.cross(axis, wanted)) > 0.15 * np.linalg.norm(axis) * np.linalg.norm(wanted):
            parent = self.rotation(f"shoulder01.{side}")
            self.turn(f"upperarm01.{side}", about(parent.T @ axis, 0.5 * angle))
            self.turn(f"upperarm02.{side}", about(rest, 0.5 * angle))
        above = self.rotation(f"upperarm02.{side}")
        self.turn(f"lowerarm01.{side}", rotation_between(rest_low, above.T @ (end - bend)))

    def point_hand(self, side: str, fingers: np.ndarray, palm: np.ndarray) -> None:
        """Turn the hand so that its fingers and its palm look along these directions."""
        above = self.rotation(f"lowerarm02.{side}")
        rest = self.hand_frame(side)
        wanted = above.T @ frame(fingers, palm) @ rest.T
        forearm = self.rest(f"wrist.{side}") - self.rest(f"lowerarm01.{side}")
        forearm /= np.linalg.norm(forearm)
        # Half of the turn about the forearm happens in the forearm.
        turned = _angle_about(forearm, rest[:, 1], wanted @ rest[:, 1])
        twist = float(np.clip(turned, -2.0, 2.0)) * 0.55
        self.turn(f"lowerarm02.{side}", about(forearm, twist))
        above = self.rotation(f"lowerarm02.{side}")
        self.turn(f"wrist.{side}", above.T @ frame(fingers, palm) @ rest.T)

    def hand_frame(self, side: str) -> np.ndarray:
        """The rest pose's fingers and palm as a frame."""
        wrist = self.rest(f"wrist.{side}")
        index, little = self.rest(f"finger2-1.{side}"), self.rest(f"finger5-1.{side}")
        along = 0.5 * (index + little) - wrist
        palm = np.cross(index - wrist, little - wrist) * (-1 if side == "L" else 1)
        return frame(along, palm)

    def curl(self, side: str, angles: np.ndarray) -> None:
        """Bend the fingers (5,) towards the palm, thumb first; radians of the first joint."""
        hand = self.hand_frame(side)
        for finger in range(1, 6):
            for joint in range(1, 4):
                bone = f"finger{finger}-{joint}.{side}"
                index = rig().index(bone)
                along = self.tails[index] - self.heads[index]
                axis = np.cross(along, hand[:, 1])
                share = (0.45 if joint == 1 else 0.55) if finger == 1 else (0.8 if joint == 1 else 1.0)
                self.turn(bone, about(axis, float(angles[finger - 1]) * share))

    def skin(self, vertices: np.ndarray) -> np.ndarray:
        """The mesh in this pose."""
        skeleton = rig()
        return bend(vertices, skeleton.joints, skeleton.weights, *self.matrices())


def bend(
    points: np.ndarray, joints: np.ndarray, weights: np.ndarray, rotations: np.ndarray, offsets: np.ndarray
) -> np.ndarray:
    """Linear blend skinning: each point follows its bones by their weights."""
    matrix = np.einsum("nk,nkij->nij", weights, rotations[joints])
    return np.einsum("nij,nj->ni", matrix, points) + np.einsum("nk,nki->ni", weights, offsets[joints])


def _angle_about(axis: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The angle about an axis that turns a towards b."""
    axis = axis / np.linalg.norm(axis)
    a, b = a - (a @ axis) * axis, b - (b @ axis) * axis
    if min(np.linalg.norm(a), np.linalg.norm(b)) < 1e-6:
        return 0.0
    return float(np.arctan2(axis @ np.cross(a, b), a @ b))
