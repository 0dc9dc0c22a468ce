"""The physics of meters on one bus: what of them adds up, what does not, and how to line them up in time.

Pure: numpy alone. Units are kW, kvar, kVA, V, A, Hz and kWh; stamps and lengths are Unix milliseconds.

Signs, after a meter's polarity is applied: load ≥ 0 is consumption, solar ≥ 0 generation, utility > 0 import
and < 0 export, battery > 0 discharge. Reactive power goes with it: a load absorbs, all others supply. So on
one bus load = solar + battery + utility, for real power, reactive power and the energy of an interval, and
for nothing else.
"""
