export function Detectors() { return <p>Detectors</p>; }
