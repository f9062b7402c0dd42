export function Observations() { return <p>Observations</p>; }
